"""The guides: the Python of docs/guides/pipelines.md compiles as one file, and what it says of commands is so.

tests/acceptance/test_pipeline_guides.py runs what needs a platform.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headrace.cli import main

GUIDES = Path(__file__).parents[3] / "docs" / "guides"
PIPELINES = GUIDES / "pipelines.md"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("pipelines.py")
    path.write_text("\n\n".join(blocks(PIPELINES, "python")))
    return path


def test_every_pipeline_of_the_guide_compiles_without_a_warning(file: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["compile", str(file)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.split() == [
        f"pipelines_{name}.yaml" for name in ("one_model", "many_models", "cleaning_up", "settings")
    ]
    assert main(["components", str(file)]) == 0


def test_the_examples_of_both_dsls_mean_the_same(capsys: pytest.CaptureFixture[str]):
    examples = GUIDES.parents[1] / "examples"
    ours, theirs = examples / "iris" / "pipeline.py", examples / "from-kfp" / "pipeline.py"
    differing = [
        line
        for line in zip(*(path.read_text().splitlines() for path in (ours, theirs)), strict=True)
        if line[0] != line[1]
    ]
    assert [line for line in differing if "import" in line[0]] == [
        ("from headrace import dsl", "from kfp import dsl"),
        (
            "from headrace.dsl import HTML, ClassificationMetrics, Dataset, Input, Metrics, Model, Output",
            "from kfp.dsl import HTML, ClassificationMetrics, Dataset, Input, Metrics, Model, Output",
        ),
    ]
    assert len(differing) == 3
    for other in (theirs, theirs.with_suffix(".yaml")):  # the latter is the official SDK's
        assert main(["diff", str(ours), str(other), "--as-kfp"]) == 0, capsys.readouterr().out
