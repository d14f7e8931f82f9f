"""What the official SDK compiles each pipeline to, and what Headrace does, mean the same, but for what faults.py declares."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.comparing import as_package, differences
from headrace_ir.reading import read_package
from headrace_ir.validating import validate
from sdk_corpus import faults
from sdk_corpus.compiling import FOLDERS, TESTS
from sdk_corpus.fault import Fault

OFFICIAL = {path.stem: path for folder in FOLDERS for path in sorted((TESTS / folder / "compiled").glob("*.yaml"))}
DECLARED = [one for one in vars(faults).values() if isinstance(one, Fault)]
BEYOND = sorted(name for one in DECLARED for name in one.beyond)


def compiled(how: str, out: Path) -> dict[str, Path]:
    """All pipelines of the corpus, compiled by Headrace."""
    command = [sys.executable, "-W", "error", str(TESTS / "sdk_corpus" / "compiling.py"), how, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    errors = {path.stem: path.read_text() for path in out.rglob("*.error")}
    assert errors == {}
    return {path.stem: path for folder in FOLDERS for path in (out / folder).glob("*.yaml")}


@pytest.fixture(scope="module", params=["as-kfp", "native"])
def ours(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return compiled(request.param, tmp_path_factory.mktemp("compiled") / "out")


def problems(path: Path) -> list[Any]:
    return list(validate(read_package(path.read_bytes(), path.name)))


def test_the_same_pipelines_are_compiled(ours):
    assert len(OFFICIAL) >= 60
    assert sorted(ours) == sorted([*OFFICIAL, *BEYOND])


@pytest.mark.parametrize("name", OFFICIAL)
def test_both_mean_the_same(ours, name):
    found = differences(OFFICIAL[name], ours[name])
    places = [one.places for one in DECLARED if name in one.flows]
    assert [str(one) for one in found if not any(re.fullmatch(place, one.path) for place in places)] == []
    assert [place for place in places if not any(re.fullmatch(place, one.path) for one in found)] == []


def test_what_ours_are_is_valid(ours):
    assert {name: problems(path) for name, path in ours.items() if problems(path)} == {}


@pytest.mark.parametrize("fault", [one for one in DECLARED if one.invalid], ids=lambda fault: fault.title)
def test_what_is_called_invalid_is(fault):
    assert [name for name in fault.flows if not problems(OFFICIAL[name])] == []


@pytest.mark.parametrize("how", ["as-kfp", "native"])
def test_compiling_twice_gives_the_same_text(tmp_path, how):
    first, second = (compiled(how, tmp_path / name) for name in ("first", "second"))
    unlike = [
        name
        for name, path in first.items()
        if "embedded" not in name and path.read_bytes() != second[name].read_bytes()
    ]
    assert unlike == []


def test_the_version_is_ours_and_names_the_dialect(ours):
    assert {as_package(path).spec["sdkVersion"] for path in ours.values()} == {"headrace-0.1.0"}
