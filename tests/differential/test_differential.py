"""Pipelines of our own, each construct alone and in pairs: what `kfp.local` puts out, task by task, Headrace puts out too,
whether KFP's SDK compiled them or ours.

`cases.yaml` names every compiled pipeline at least once, in the form of the corpus' expected.yaml; where `kfp.local` cannot run
one or differs from KFP's backend on purpose (semantics 5.11), its row says so and has the right values itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from corpus import asking, driving
from corpus.branching import contradictions
from corpus.comparing import differences
from corpus.expecting import Expected, read_expected
from corpus.viewing import from_oracle
from fixtures.fix_kfp_peer import ROOT
from fixtures.platforms import Platform, running
from sdk_corpus.test_same_ir import compiled

HERE = Path(__file__).resolve().parent
COMPILED = HERE / "compiled"
ORACLE_CACHE = ROOT / "build" / "oracle"
CASES = read_expected(HERE / "cases.yaml", {"class": "A", "issue": 4, "end": "SUCCEEDED"})
AT_LEAST = 40  # pipelines that both sides run


def source(row: Expected) -> Path:
    """`loops_collected` and `loops_collected#2` are one pipeline with other parameters."""
    return COMPILED / f"{row.name.partition('#')[0]}.yaml"


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running("embedded", tmp_path_factory.mktemp("differential") / "home") as platform:
        yield platform


@pytest.fixture(scope="module", params=["by-kfp", "by-headrace"])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The compiled pipelines by name, by who compiled them."""
    if request.param == "by-kfp":
        return {path.stem: path for path in COMPILED.glob("*.yaml")}
    return compiled("as-kfp", tmp_path_factory.mktemp("compiled") / "out")


@pytest.fixture(scope="module")
def oracle(kfp_python: Path) -> dict[str, Any]:
    """The answers of `kfp.local`, all asked for in one program: its import takes longer than most pipelines."""
    asked = [(row, source(row)) for row in CASES if row.oracle]
    asking.ask_all(asked, ORACLE_CACHE)
    return {row.name: asking.ask(row, file, ORACLE_CACHE) for row, file in asked}


def test_every_compiled_pipeline_is_a_case_and_enough_are_run_by_both():
    assert {source(row).name for row in CASES} == {file.name for file in COMPILED.glob("*.yaml")}
    assert len({source(row) for row in CASES if row.oracle}) >= AT_LEAST


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("row", CASES, ids=lambda row: row.name)
def test_headrace_puts_out_what_kfp_local_does(
    row: Expected, oracle: dict[str, Any], embedded: Platform, files: dict[str, Path], tmp_path: Path
):
    given = row.arguments(tmp_path)
    said = driving.run(embedded.url, files[source(row).stem], given)
    assert said.stdout, said.stderr
    ours = driving.view(embedded.url, json.loads(said.stdout)["run_id"])
    theirs = from_oracle(oracle[row.name]) if row.oracle else None
    assert differences(row, ours, theirs) == []
    assert contradictions(next(yaml.safe_load_all(source(row).read_text())), given, ours) == []
