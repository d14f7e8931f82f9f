"""What an image of one service consists of; `services/Dockerfile` runs this in its build stage, nothing else calls it.

Only files are copied into the image: third-party wheels as pinned for the image's processor (so an arm64 image is built
on any machine, without emulation), our packages that the service imports, and the program that starts it.
"""

from __future__ import annotations

import compileall
import py_compile
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final

SERVICES: Final = ("apiserver", "scheduler", "persistence", "cache", "companion")
MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}  # as Dockerfiles and as wheels name them
GLIBC: Final = range(
    28, 16, -1
)  # manylinux_2_28 is what Debian 10 and later, and every image of Python's own, can load
PYTHON: Final = (3, 11)  # of the base image, for which wheels are chosen and bytecode is made

# Our packages in each image: the service, and what the layers of `make check` let it import.
EVERYWHERE: Final = frozenset({"headrace_protos", "headrace_servicekit"})
SERVING: Final = frozenset(
    {"headrace_embedded", "headrace_identity", "headrace_metrics"}
)  # `headrace serve NAME`, and who may call it
PARTS: Final = {
    "apiserver": SERVING | {"headrace_apiserver", "headrace_ir"},
    "scheduler": SERVING | {"headrace_scheduler", "headrace_companion", "headrace_ir"},
    "persistence": SERVING | {"headrace_persistence"},
    "cache": SERVING | {"headrace_cache"},
    "companion": {"headrace_companion", "headrace_ir", "headrace"},
}
LIBRARY: Final = "usr/lib/headrace/python"
SHIM: Final = "usr/lib/headrace/shim"
START: Final = "usr/bin/headrace-service"
# A task waits for its companion's start: no site is looked for, nor a module beside the program, in the folder of all others.
INTERPRETERS: Final = {"companion": "-S python3 -SP"}
UNUSED: Final = frozenset(  # of the standard library
    {
        *(
            "test",
            "tests",
            "idlelib",
            "lib2to3",
            "tkinter",
            "turtledemo",
            "ensurepip",
            "distutils",
            "pydoc_data",
            "unittest",
        ),
        *("site-packages", "dist-packages", "sqlite3", "curses", "dbm", "xmlrpc", "venv", "msilib"),
    }
)
PROGRAM: Final = """#!/usr/bin/env {python}
import sys

sys.argv[1:1] = {arguments!r}
from {module}.__main__ import main

sys.exit(main())
"""


def wheel_platforms(machine: str) -> list[str]:
    """The platform tags, newest first, of wheels that run on MACHINE."""
    return [*(f"manylinux_2_{minor}_{machine}" for minor in GLIBC), f"manylinux2014_{machine}"]


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--no-cache-dir", "--quiet", *arguments], check=True)


def install_pins(pins: Path, library: Path, machine: str) -> None:
    """The wheels of PINS for MACHINE; nothing is built, and every file's hash is checked."""
    platforms = [option for tag in wheel_platforms(machine) for option in ("--platform", tag)]
    python = ["--implementation", "cp", "--python-version", "{}.{}".format(*PYTHON)]
    only = ["--only-binary", ":all:", "--require-hashes", "--no-deps"]
    pip("install", *only, *python, *platforms, "--target", str(library), "-r", str(pins))


def install_ours(source: Path, library: Path, wanted: frozenset[str] | set[str]) -> None:
    """Our packages of SOURCE, with their metadata, and of them only those that are WANTED."""
    for distribution in ("protos", "sdk", "services"):
        made = ["--no-deps", "--no-build-isolation", "--target", str(library)]
        pip("install", *made, str(source / distribution))
    shutil.rmtree(library / "bin", ignore_errors=True)
    for folder in library.glob("headrace*"):
        package = folder.name.partition("-")[0]
        if package not in wanted | {"headrace_server"}:  # its metadata is every image's: the version is read there
            shutil.rmtree(folder)


def install_shim(source: Path, root: Path, processor: str) -> None:
    """The static program that the companion hands to `main`, as `make shim` compiled it for PROCESSOR."""
    shim = root / SHIM
    shim.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / "shim" / processor / "shim", shim)
    shim.chmod(0o755)


def compile_all(library: Path) -> None:
    """Bytecode that is taken without a look at its source: nothing changes in an image, and not every builder keeps times."""
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(str(library), quiet=1, workers=1, invalidation_mode=unchecked)


def compile_standard_library(source: Path, root: Path, place: str) -> None:
    """Bytecode below ROOT for what lies at PLACE in the base image, which has none: Python's official images leave it out, and
    every Pod's companion would compile what it imports. Where SOURCE was another release's, Python sees so by its hash.
    """
    for file in source.rglob("*.py"):
        relative = file.relative_to(source)
        if UNUSED.isdisjoint(relative.parts) and file.is_file():
            made = root / place.strip("/") / cache_from_source(str(relative))
            checked = py_compile.PycInvalidationMode.CHECKED_HASH
            py_compile.compile(str(file), str(made), f"{place}/{relative}", doraise=True, invalidation_mode=checked)


def write_start(root: Path, service: str) -> None:
    """The program that the image starts."""
    companion = service == "companion"
    module, arguments = ("headrace_companion.pod", []) if companion else ("headrace_embedded", ["serve", service])
    start = root / START
    start.parent.mkdir(parents=True, exist_ok=True)
    python = INTERPRETERS.get(service, "python3")
    start.write_text(PROGRAM.format(python=python, module=module, arguments=arguments), encoding="utf-8")
    start.chmod(0o755)


def main(step: str, service: str, processor: str, source: Path, root: Path) -> None:
    """Lay out below ROOT what the image of SERVICE has besides its base: its "pins", which change seldom, then what is "ours"."""
    if sys.version_info[:2] != PYTHON:
        raise SystemExit("the build stage's Python is {}.{}, not {}.{}".format(*sys.version_info[:2], *PYTHON))
    library = root / LIBRARY
    library.mkdir(parents=True, exist_ok=True)
    if step == "pins":
        install_pins(source / "requirements" / f"image-{service}.txt", library, MACHINES[processor])
    else:
        install_ours(source, library, EVERYWHERE | PARTS[service])
        write_start(root, service)
        if service == "companion":
            install_shim(source, root, processor)
            standard = sysconfig.get_path("stdlib")
            compile_standard_library(Path(standard), root, standard)
    compile_all(library)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]), Path(sys.argv[5]))
