"""Random pipelines, one text for both SDKs: KFP's compiler and ours give the same, or KFP's spec is none that could run.

- what ours compiles passes the platform's own static validation, always
- where KFP's differs, the validation finds what is wrong in KFP's: a task that refers to an input which its group was never given
- where KFP refuses, it is that same fault, met by an assertion of its own; ours never refuses
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from builders.pipeline_sources import pipeline_source
from fixtures.fix_kfp_peer import peer_environment
from headrace.comparing import as_package, differences
from headrace_ir.reading import read_package
from headrace_ir.validating import validate

PROGRAM = Path(__file__).parent / "compile_sources.py"
SEEDS = range(100)
LOST_INPUT = "not found. All inputs"  # KFP's assertion where its group lacks an input


@pytest.fixture(scope="module")
def compiled(tmp_path_factory, kfp_python) -> dict[str, dict[str, Any]]:
    """Each SDK's answers by the file's name."""
    answers = {}
    for module, python in (("kfp", kfp_python), ("headrace", sys.executable)):
        folder = tmp_path_factory.mktemp(module)
        for seed in SEEDS:
            (folder / f"p{seed}.py").write_text(pipeline_source(seed, module))
        environment = peer_environment() if module == "kfp" else None
        command = [str(python), str(PROGRAM), module, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=False)
        assert done.returncode == 0, done.stderr[-2_000:]
        answers[module] = json.loads(done.stdout)
    return answers


def test_ours_compiles_all_of_them_to_what_the_platform_takes(compiled):
    for name, answer in compiled["headrace"].items():
        assert "refused" not in answer, f"{name}: {answer}"
        assert problems_of(answer) == [], name


def test_both_give_the_same_wherever_kfps_could_run(compiled):
    same, faulty = 0, {}
    for name, theirs in compiled["kfp"].items():
        if "refused" in theirs:
            assert LOST_INPUT in theirs["refused"], f"{name}: {theirs}"
            faulty[name] = theirs["refused"]
            continue
        found = differences(as_package(theirs["package"]), as_package(compiled["headrace"][name]["package"]))
        if found:
            faulty[name] = problems_of(theirs)
            assert faulty[name], f"{name}: {found[:5]}"
        else:
            same += 1
    assert same >= len(SEEDS) * 0.75, f"{same} of {len(SEEDS)} are the same: {faulty}"


def problems_of(answer: dict[str, str]) -> list[str]:
    return [str(problem) for problem in validate(read_package(answer["package"].encode(), "flow.yaml"))]
