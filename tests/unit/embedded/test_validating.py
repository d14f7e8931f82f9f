"""`headrace validate`: its words and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

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
