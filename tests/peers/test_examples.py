"""The examples against the official SDK: the YAML is what the source compiles to, and `kfp.local` runs it to the end.

The peer environment comes from `make kfp-peer`; without it these tests fail with that sentence, they are not skipped.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fixtures.fix_kfp_peer import ROOT, peer_environment


def run_peer(python: Path, *arguments: str | Path, timeout: float = 110) -> str:
    done = subprocess.run(
        [str(python), *map(str, arguments)],
        cwd=ROOT,
        env=peer_environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def ask_oracle(python: Path, example: str, arguments: dict[str, Any], scratch: Path) -> dict[str, Any]:
    given, result = scratch / "arguments.json", scratch / "result.json"
    given.write_text(json.dumps(arguments))
    run_peer(python, ROOT / "tests/corpus/oracle.py", ROOT / f"examples/{example}/pipeline.yaml", given, result)
    answer: dict[str, Any] = json.loads(result.read_text())
    assert answer["state"] == "SUCCEEDED", answer["error"]
    return answer


def test_the_committed_yaml_is_what_the_source_compiles_to(kfp_python: Path) -> None:
    run_peer(kfp_python, "tools/compile_pipelines.py", "--check")


def test_hello_hands_its_greeting_over(kfp_python: Path, tmp_path: Path) -> None:
    answer = ask_oracle(kfp_python, "hello", {"name": "Ada"}, tmp_path)
    assert answer["outputs"] == {"greeting": "Hello, Ada!", "letters": 8}


def test_iris_trains_and_releases_the_best_model(kfp_python: Path, tmp_path: Path) -> None:
    answer = ask_oracle(kfp_python, "from-kfp", {}, tmp_path)
    assert answer["outputs"]["best_model"] == "support-vectors"
    assert answer["outputs"]["accuracy"] == pytest.approx(0.971, abs=0.01)
    tasks = answer["tasks"]
    assert [path for path in tasks if path.endswith("/train-model")] == [
        f"for-loop-1[{n}]/train-model" for n in range(4)
    ]
    evaluated = tasks["condition-branches-2/condition-3/evaluate-model"]["outputs"]
    types = {name: one["type"] for name, one in evaluated.items() if isinstance(one, dict)}
    assert types == {
        "released": "system.Model",
        "metrics": "system.Metrics",
        "confusion": "system.ClassificationMetrics",
        "report": "system.HTML",
    }
    matrix = [row["row"] for row in evaluated["confusion"]["metadata"]["confusionMatrix"]["rows"]]
    assert [sum(row) for row in matrix] == [15, 15, 15]
    right = sum(matrix[place][place] for place in range(3))
    assert evaluated["metrics"]["metadata"]["accuracy"] == pytest.approx(right / 45, abs=1e-6)
    assert evaluated["report"]["content"]["text"].startswith("<!doctype html>")


def test_iris_refuses_a_model_that_is_not_good_enough(kfp_python: Path, tmp_path: Path) -> None:
    tree = [{"kind": "decision-tree", "settings": {"max_depth": 1}}]
    answer = ask_oracle(kfp_python, "from-kfp", {"candidates": tree, "needed_accuracy": 0.99}, tmp_path)
    assert "is not released" in answer["outputs"]["verdict"]
    assert "condition-branches-2/condition-4/explain-refusal" in answer["tasks"]
    assert "condition-branches-2/condition-3" not in answer["tasks"]
