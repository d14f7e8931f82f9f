"""Which runtime a component gets in the process executor, and what is installed for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.launches import lightweight, ours
from headrace.compiler.bootstrap import Settings
from headrace.runtime import serves
from headrace_companion.lightweight import PipInstall, PythonComponent, recognise
from headrace_scheduler.executors.process.runtimes import KFP, OURS, flags_of, runtime_of, too_old

SOURCE = "def f(): ...\n"


def component(settings: Settings) -> PythonComponent:
    found = recognise(ours(SOURCE, "f", settings))
    assert found is not None
    return found


def test_ours_comes_from_a_folder_with_nothing_else_in_it(tmp_path: Path) -> None:
    runtime, installs = runtime_of(component(Settings(["tiny"])), tmp_path)
    assert (runtime.module, installs) == (OURS.module, (PipInstall(("tiny",)),))
    assert [path.name for path in Path(runtime.path).iterdir()] == ["headrace"]
    assert (Path(runtime.path) / "headrace/runtime/__main__.py").is_file()
    assert runtime_of(component(Settings()), tmp_path) == (runtime, ())


def test_kfps_is_installed(tmp_path: Path) -> None:
    found = recognise(lightweight(SOURCE, "f"))
    assert found is not None
    assert runtime_of(found, tmp_path) == (KFP, found.installs)


def test_a_newer_one_than_the_platforms_is_installed(tmp_path: Path) -> None:
    words = [word.replace("0.1.0", "0.2.0") for word in ours(SOURCE, "f", Settings(["tiny"], ["https://i"]))]
    found = recognise(words)
    assert found is not None
    index = {"index_url": "https://i", "trusted_hosts": ("https://i",)}
    assert runtime_of(found, tmp_path) == (
        OURS,
        (PipInstall(("tiny",), **index), PipInstall(("headrace==0.2.0",), no_deps=True, **index)),  # type: ignore[arg-type]
    )


def test_one_of_the_components_own_is_not_overshadowed(tmp_path: Path) -> None:
    runtime, installs = runtime_of(component(Settings(kfp_package_path="./mine")), tmp_path)
    assert (runtime.path, installs) == ("", (PipInstall(("./mine",), no_deps=True),))


def test_flags() -> None:
    assert flags_of(component(Settings(as_kfp=True))) == ("--as_kfp",)
    assert flags_of(component(Settings())) == ()


@pytest.mark.parametrize(("version", "old"), [("3.8", True), ("3.9", False), ("3.13", False)])
def test_which_pythons_are_too_old(version: str, old: bool) -> None:
    assert bool(too_old(version)) == old


@pytest.mark.parametrize(
    ("version", "served"), [("0.1.0", True), ("0.1.7", True), ("0.0.9", True), ("0.2.0", False), ("1.0.0", False)]
)
def test_which_versions_this_runtime_stands_in_for(version: str, served: bool) -> None:
    assert serves(version) == served
