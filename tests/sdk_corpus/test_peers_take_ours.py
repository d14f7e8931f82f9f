"""What Headrace compiles, in the hands of the official SDK: it loads it, and compiles what it loaded to the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.comparing import differences
from peers.test_examples import run_peer
from sdk_corpus.compiling import TESTS
from sdk_corpus.test_same_ir import BEYOND, OFFICIAL, compiled

NAMES = [*OFFICIAL, *BEYOND]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return compiled("as-kfp", tmp_path_factory.mktemp("compiled") / "out")


@pytest.fixture(scope="module")
def again(ours: dict[str, Path], kfp_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every one of ours, loaded and compiled again by the official SDK."""
    out = tmp_path_factory.mktemp("again")
    run_peer(kfp_python, TESTS / "sdk_corpus" / "loading_peer.py", next(iter(ours.values())).parents[1], out)
    return out


def test_the_official_sdk_loads_every_one(again):
    assert {path.stem: path.read_text() for path in again.glob("*.error")} == {}


@pytest.mark.parametrize("name", NAMES)
def test_it_compiles_what_it_loaded_to_the_same(ours, again, name):
    assert [str(one) for one in differences(ours[name], again / f"{name}.yaml")] == []
