"""The oracle's answers: whoever waits for them learns what became of the program that gives them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from corpus import asking

HANGS = "import faulthandler, threading; faulthandler.enable(); threading.Event().wait()"


def answered(folder: Path, program: str) -> None:
    with (folder / "said.log").open("wb") as said:
        asking._answered([sys.executable, "-c", program], str(folder), said, [folder / "one.json", folder / "two.json"])


def test_a_program_that_hangs_is_ended_and_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asking, "SILENT_S", 0.5)
    (tmp_path / "one.json").touch()
    with pytest.raises(asking.OracleHung, match=r"(?s)owes two.*said\.log ends with:.*in wait"):
        answered(tmp_path, HANGS)


def test_one_that_fails_is_named_with_what_it_said(tmp_path: Path):
    with pytest.raises(RuntimeError, match=r"(?s)ended with 3 and owes one.*no such thing"):
        answered(tmp_path, "import sys; print('no such thing'); sys.exit(3)")


def test_one_that_ends_well_is_silent(tmp_path: Path):
    answered(tmp_path, "print('fine')")
