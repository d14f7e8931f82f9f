"""`headrace validate`: its words and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

from builders.specs import container, pipeline
from headrace_embedded.commands import validate

HELLO = Path(__file__).parents[3] / "examples" / "hello" / "pipeline.yaml"


def test_a_valid_file(capsys):
    assert validate([str(HELLO)]) == 0
    assert capsys.readouterr().out == f"{HELLO} is valid\n"


def test_problems_as_text_and_as_json(tmp_path, capsys):
    broken = tmp_path / "broken.yaml"
    broken.write_text(HELLO.read_text().replace("schemaVersion: 2.1.0", "schemaVersion: 3.0.0"))
    assert validate([str(broken)]) == 2
    assert "2.1.0" in capsys.readouterr().out
    assert validate([str(broken), "-o", "json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["valid"] is False
    assert "2.1.0" in told["problems"][0]["message"]


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert validate([str(tmp_path / "none.yaml")]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_what_has_no_effect_is_said_of_a_valid_file(tmp_path, capsys):
    path = tmp_path / "flow.json"
    path.write_text(json.dumps(pipeline("demo").task("a", container(), parallelism=3).build()))
    said = "root.dag.tasks.a.iteratorPolicy: has no effect without an iterator"
    assert validate([str(path)]) == 0
    assert capsys.readouterr().out == f"{path} is valid\n  warning: {said}\n"
    assert validate([str(path), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"valid": True, "problems": [], "warnings": [said]}
