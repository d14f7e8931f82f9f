"""The images that tests run, made from this machine's own parts and named as pipelines name them; kept by content.

`python:3.11` is a stand-in: Debian with Python, and with a folder of wheels, because Pods have no package index.
Called by `up`, by `python -m cluster.bringup images` and by fixtures; a layer whose recipe has not changed is not made again.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from cluster.bringup import packing, registry
from cluster.bringup.building import say
from cluster.bringup.node import PAUSE
from cluster.bringup.places import CACHE
from cluster.bringup.registry import blob

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = Path(__file__).parent / "programs"
PYTHON_NAMES = (
    *(
        f"python:{version}{kind}"
        for version in ("3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
        for kind in ("", "-slim")
    ),
    "python:alpine3.9",
    "python:latest",
    "registry.access.redhat.com/ubi9/python-311:latest",
    "public.ecr.aws/docker/library/python:3.12",
)
SMALL_NAMES = (
    "alpine",
    "alpine:3.20",
    "busybox",
    "busybox:1.36",
    "ghcr.io/containerd/busybox",
    "docker.io/library/bash",
)
STATIC, UID_1000, UMASK_077 = "headrace.test/static:1", "headrace.test/uid1000:1", "headrace.test/umask077:1"
COMPANION = "docker.io/headrace/companion:dev"
COMPANION_PACKAGES = (
    *("protos/headrace_protos", "sdk/headrace", "services/ir/headrace_ir"),
    *("services/servicekit/headrace_servicekit", "services/companion/headrace_companion"),
)
# What bootstraps of compiled pipelines install: KFP without its dependencies, and the packages of our examples and tests.
KFP_VERSIONS = ("2.1.3", "2.9.0", "2.12.1", "2.14.2", "2.14.3", "2.14.4", "2.14.6", "2.15.2")
PACKAGES = (
    *("scikit-learn==1.7.2", "numpy==2.3.5", "scipy==1.16.3", "joblib==1.5.2", "threadpoolctl==3.6.0"),
    *("typing-extensions==4.15.0", "requests==2.32.5", "dill==0.3.7"),
)
DEBIAN_PACKAGES = "python3,python3-pip,python3-venv,procps"
WHEELS = "/opt/wheels"
OFFLINE = {
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": WHEELS,
    "PIP_BREAK_SYSTEM_PACKAGES": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}
LIBRARIES = (("c", 6), ("resolv", 2))  # of busybox
STANDARD = "/usr/lib/python3.11"
SITE = "/usr/local/lib/python3.11/dist-packages"


def basics() -> None:
    """What the nodes themselves need."""
    packing.image([PAUSE], [program_layer("/pause", "pause")], ["/pause"])


def for_tests() -> None:
    """Every image that a test names but the companion's, which has our source."""
    python = [debian(), wheels()]
    packing.image(PYTHON_NAMES, python, ["python3"], environ=OFFLINE)
    packing.image(SMALL_NAMES, [busybox()], ["sh"])
    packing.image([STATIC], [program_layer("/write", "write")], ["/write"])
    packing.image(
        [UID_1000],
        [*python, _user()],
        ["python3"],
        environ={**OFFLINE, "HOME": "/home/user"},
        user="1000",
        folder="/home/user",
    )
    shell = program_layer("/usr/bin/sh", "umask_sh")
    packing.image([UMASK_077], [*python, shell], ["sh"], environ=OFFLINE)


def companion(name: str = COMPANION, source: Path = ROOT) -> str:
    """The companion of a working tree, as `services/Dockerfile` lays it out: pins are a layer that stays, our packages and the
    shim one of two megabytes.
    """
    python = {"PYTHONPATH": SITE, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [f"/{image_contents(source).START}"]
    layers = [debian(), standard_library(source), pins(), companion_layer(source)]
    return packing.image([name], layers, entrypoint=command, user="65532", environ=python)


def standard_library(source: Path) -> str:
    """Its bytecode, which images of Python leave out and the companion's has."""
    contents = image_contents(source)
    recipe = (source / "services/image_contents.py").read_bytes()

    def make() -> Mapping[str, Path]:
        folder = CACHE / "standard" / key(recipe)
        contents.compile_standard_library(debian_folder() / STANDARD.strip("/"), folder, STANDARD)
        return {"/": folder}

    return kept(f"standard library {DEBIAN_PACKAGES} {key(recipe)}", make)


def companion_layer(source: Path) -> str:
    """What is ours in it, with bytecode."""
    contents = image_contents(source)
    packages = [source / part for part in COMPANION_PACKAGES]
    files = sorted(
        file for package in packages for file in package.rglob("*") if file.is_file() and file.suffix != ".pyc"
    )
    texts = [file.relative_to(source).as_posix().encode() + b"\0" + file.read_bytes() for file in files]
    texts += [shim(source).name.encode(), (source / "services/image_contents.py").read_bytes()]
    recipe = "companion " + key(b"\0".join(texts))
    folder = CACHE / "companions" / f"{key(recipe.encode())}.{os.getpid()}"

    def make() -> Mapping[str, Path]:
        library = folder / SITE.strip("/")
        for package in packages:
            shutil.copytree(package, library / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        contents.compile_all(library)
        contents.write_start(folder, "companion")
        (folder / contents.SHIM).parent.mkdir(parents=True)
        shutil.copy2(shim(source), folder / contents.SHIM)
        return {"/": folder}

    try:
        return kept(recipe, make)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def image_contents(source: Path) -> Any:
    """How the working tree's images are laid out: the module that its Dockerfile runs."""
    _python_311()  # whose bytecode the image takes
    spec = importlib.util.spec_from_file_location("image_contents", source / "services/image_contents.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def companion_by_content() -> str:
    """The companion under a name that changes with its content."""
    digest = companion()
    name = f"{COMPANION}-{digest.removeprefix('sha256:')[:12]}"
    registry.set_tag(*packing.repository(name), digest)
    return name


def debian() -> str:
    """Debian's smallest system with Python, pip and venv."""
    return kept(f"debian {DEBIAN_PACKAGES}", lambda: {"/": debian_folder()})


def debian_folder() -> Path:
    rootfs = CACHE / "rootfs" / "python"
    if not rootfs.exists():
        say("making Debian with Python (debootstrap, 1 to 4 minutes, once)")
        half = rootfs.with_name(".python")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        quiet("debootstrap", "--variant=minbase", f"--include={DEBIAN_PACKAGES}", "bookworm", str(half))
        _trim(half)
        half.rename(rootfs)
    return rootfs


def _trim(rootfs: Path) -> None:
    for part in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/log"):
        shutil.rmtree(rootfs / part, ignore_errors=True)
        (rootfs / part).mkdir(parents=True)
    for name, target in (("python", "python3"), ("pip", "pip3")):
        link = rootfs / "usr/local/bin" / name
        if not link.is_symlink():
            link.symlink_to(f"/usr/bin/{target}")


def wheels() -> str:
    wanted = [*(f"kfp=={version}" for version in KFP_VERSIONS), *PACKAGES]

    def make() -> Mapping[str, Path]:
        folder = CACHE / "wheels"
        folder.mkdir(parents=True, exist_ok=True)
        say(f"fetching {len(wanted)} wheels for the Pods")
        python = str(_python_311())
        for version in KFP_VERSIONS:
            quiet(
                python, "-m", "pip", "wheel", "-q", "--no-deps", "-f", str(folder), "-w", str(folder), f"kfp=={version}"
            )
        quiet(python, "-m", "pip", "download", "-q", "--only-binary=:all:", "-d", str(folder), *PACKAGES)
        for wheel in folder.glob("*.whl"):
            wheel.chmod(0o644)
        return {WHEELS: folder}

    return kept(f"wheels {' '.join(wanted)}", make)


def pins() -> str:
    """What the companion imports, at the versions that this environment has (which are the pins' own)."""
    found = closure("headrace-server", "companion")
    wanted = sorted(f"{name}=={version}" for name, version in found.items())

    def make() -> Mapping[str, Path]:
        folder = CACHE / "pins-compiled" / hashlib.sha256(" ".join(wanted).encode()).hexdigest()[:16]
        if not folder.exists():
            say(f"installing {len(wanted)} packages for the companion")
            half = folder.with_name(f".{folder.name}")
            quiet(
                str(_python_311()), "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "-t", str(half), *wanted
            )
            quiet(str(_python_311()), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(half))
            half.rename(folder)
        return {SITE: folder}

    return kept(f"compiled pins {' '.join(wanted)}", make)


def closure(name: str, *extras: str) -> dict[str, str]:
    """A distribution's dependencies with theirs, as installed; ours are left out, they come from the working tree."""
    found: dict[str, str] = {}
    queue = [(name, extra) for extra in ("", *extras)]
    seen = set(queue)
    while queue:
        one, extra = queue.pop()
        for text in metadata.requires(one) or []:
            need = Requirement(text)
            if need.marker is not None and not need.marker.evaluate({"extra": extra}):
                continue
            if not need.name.startswith("headrace"):
                found[need.name.lower()] = metadata.version(need.name)
            more = [(need.name, each) for each in ("", *need.extras)]
            queue += [each for each in more if each not in seen]
            seen.update(more)
    return found


def busybox() -> str:
    def make() -> Mapping[str, Path]:
        rootfs = CACHE / "rootfs" / "busybox"
        shutil.rmtree(rootfs, ignore_errors=True)
        for folder in ("bin", "etc", "tmp", "root", "home"):
            (rootfs / folder).mkdir(parents=True)
        (rootfs / "tmp").chmod(0o1777)
        (rootfs / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
        program = _from_debian("busybox", "bin/busybox")
        shutil.copy2(program, rootfs / "bin/busybox")
        # With Debian's libc beside it: a static program cannot resolve names there.
        for library in (
            "lib64/ld-linux-x86-64.so.2",
            *(f"lib/x86_64-linux-gnu/lib{one}.so.{number}" for one, number in LIBRARIES),
        ):
            (rootfs / library).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(debian_folder() / library, rootfs / library)
        applets = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout
        for applet in applets.split():
            if applet != "busybox":
                (rootfs / "bin" / applet).symlink_to("busybox")
        return {"/": rootfs}

    return kept("busybox 3", make)


def _from_debian(package: str, path: str) -> Path:
    """A file of a package that is not installed here (it would replace one that may be)."""
    folder = CACHE / "packages" / package
    if not (folder / path).exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=True)
        subprocess.run(["dpkg-deb", "-x", *map(str, folder.glob("*.deb")), str(folder)], check=True)
    return folder / path


def _user() -> str:
    """A user of its own with a home that nobody else can read."""
    rootfs = CACHE / "rootfs" / "user"
    (rootfs / "home/user").mkdir(parents=True, exist_ok=True)
    return packing.layer({"/home/user": rootfs / "home/user"}, owner=1000, mode={"/home/user": 0o700})


def program_layer(place: str, name: str) -> str:
    return packing.layer({place: static_program(name)}, mode={place: 0o755})


def static_program(name: str) -> Path:
    """A program of the folder `programs`, linked statically, compiled once for each text of its source."""
    source = PROGRAMS / f"{name}.c"
    made = CACHE / "programs" / f"{name}-{key(source.read_bytes())}"
    return _compiled(made, [source])


def shim(source: Path = ROOT) -> Path:
    """The shim as this machine's compiler makes it; the released one is cross-compiled by `make shim`."""
    folder = source / "services/companion/shim"
    files = sorted(folder.glob("*.[ch]"))
    made = CACHE / "programs" / f"shim-{key(b''.join(file.read_bytes() for file in files))}"
    return _compiled(made, [file for file in files if file.suffix == ".c"])


def _compiled(made: Path, sources: list[Path]) -> Path:
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        half = made.with_name(f".{made.name}.{os.getpid()}")
        quiet("gcc", "-static", "-s", "-O2", "-std=c11", "-D_GNU_SOURCE", "-o", str(half), *map(str, sources))
        half.rename(made)
    return made


def kept(recipe: str, make: Callable[[], Mapping[str, Path]]) -> str:
    """The layer of this recipe; it is made where the cache has none."""
    note = CACHE / "layers" / key(recipe.encode())
    if note.exists() and blob(note.read_text()).exists():
        return note.read_text()
    digest = packing.layer(make())
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(digest)
    return digest


def quiet(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv[:4])} … failed:\n{(done.stdout + done.stderr)[-2000:]}")


def key(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _python_311() -> Path:
    """The interpreter whose wheels the images take: Debian's there is 3.11."""
    if sys.version_info[:2] != (3, 11):
        raise RuntimeError("The test cluster's images need Python 3.11 here: make setup-test PYTHON=python3.11")
    return Path(sys.executable)
