"""What tests as root leave outside their folders goes with them, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures import elsewhere


def test_removes_the_databases_that_homes_link_to_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system, session, other = tmp_path / "system", tmp_path / "session", tmp_path / "other"
    monkeypatch.setattr(elsewhere, "SYSTEM_FOLDER", system)
    for folder in (system / "linked" / "data", system / "unlinked", other, session / "test_a0" / "home"):
        folder.mkdir(parents=True)
    (session / "test_a0" / "home" / "postgres").symlink_to(system / "linked")
    (session / "postgres").symlink_to(other)
    (session / "inside" / "postgres" / "data").mkdir(parents=True)
    elsewhere.remove_databases(session)
    assert sorted(path.name for path in system.iterdir()) == ["unlinked"]
    assert other.is_dir()
    assert (session / "inside" / "postgres" / "data").is_dir()
