"""The examples on the whole platform, in both topologies: they end as they do on the official kfp.local, with the same values.

The oracle's answers come from the peer environment (`make kfp-peer`); the judgement is the conformance run's own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from corpus import asking, driving
from corpus.branching import contradictions
from corpus.comparing import differences
from corpus.conformance import ORACLE_CACHE, pipeline_document
from corpus.expecting import Expected
from corpus.viewing import RunView, from_oracle
from fixtures.fix_kfp_peer import ROOT
from fixtures.platforms import Platform

# a fitted model is a pickle: equal in what it answers, not in its bytes
PICKLES = ("train-model/model", "choose-best/best", "evaluate-model/released")
STRICT = {"candidates": [{"kind": "decision-tree", "settings": {"max_depth": 1}}], "needed_accuracy": 0.99}


def run_and_compare(
    platform: Platform, example: str, arguments: dict[str, Any], source: str = "", *options: str
) -> RunView:
    """EXAMPLE's package, or SOURCE with OPTIONS, against the package on kfp.local."""
    file = ROOT / "examples" / example / "pipeline.yaml"
    row = Expected(f"examples/{example}", "A", "SUCCEEDED", 3, arguments, (), PICKLES, {}, (), True, "")
    said = driving.run(platform.url, ROOT / "examples" / source if source else file, arguments, {}, *options)
    assert said.code == 0, said.stderr
    ours = driving.view(platform.url, json.loads(said.stdout)["run_id"])
    oracle = from_oracle(asking.ask(row, file, ORACLE_CACHE))
    assert differences(row, ours, oracle) == []
    assert contradictions(pipeline_document(file), arguments, ours) == []
    return ours


@pytest.mark.usefixtures("kfp_python")
@pytest.mark.timeout(900)
def test_hello(platform: Platform) -> None:
    ours = run_and_compare(platform, "hello", {"name": "Ada"})
    assert ours.outputs == {"greeting": "Hello, Ada!", "letters": 8}


@pytest.mark.usefixtures("kfp_python")
@pytest.mark.timeout(900)
def test_iris(platform: Platform) -> None:
    """In our own DSL, as `make run` runs it: what the same pipeline in KFP's comes to on kfp.local."""
    ours = run_and_compare(platform, "from-kfp", {}, "iris/pipeline.py")
    assert ours.outputs["best_model"] == "support-vectors"
    assert ours.tasks["condition-branches-2/condition-4"].state == "SKIPPED"


@pytest.mark.usefixtures("kfp_python")
@pytest.mark.timeout(900)
def test_iris_takes_the_other_branch(platform: Platform) -> None:
    ours = run_and_compare(platform, "from-kfp", STRICT)
    assert "is not released" in ours.outputs["verdict"]
    assert ours.tasks["condition-branches-2/condition-3"].state == "SKIPPED"


@pytest.mark.usefixtures("kfp_python")
@pytest.mark.timeout(900)
def test_a_file_of_kfps_unchanged(platform: Platform) -> None:
    run_and_compare(platform, "from-kfp", STRICT, "from-kfp/pipeline.py", "--as-kfp")


def test_a_second_run_is_served_from_the_cache(platform: Platform, tmp_path: Path) -> None:
    file = ROOT / "examples" / "hello" / "pipeline.yaml"
    arguments = {"name": tmp_path.name}
    summaries = [json.loads(driving.run(platform.url, file, arguments).stdout) for _ in range(2)]
    cached = [{task["path"]: task["cached"] for task in summary["tasks"]} for summary in summaries]
    assert cached == [{"greet": False, "count-letters": False}, {"greet": True, "count-letters": True}]
    assert summaries[0]["outputs"] == summaries[1]["outputs"]
