"""Which environments go. Aspects: by age, by size the least recently used first, never one in use; unfinished ones; what a
dead platform put aside; folders that are no environments; one that another process makes.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest

from headrace_companion.lightweight import PipInstall
from headrace_scheduler.executors.process import shedding
from headrace_scheduler.executors.process.environments import MARKER, Environments, EnvironmentSpec
from headrace_scheduler.executors.process.interpreters import Interpreter
from headrace_scheduler.executors.process.shedding import DAY, Held, Keep, going

NOW = 1_700_000_000.0


def held(key: str, days: float, size: int = 10, in_use: bool = False) -> Held:
    return Held(key, NOW - days * DAY if days >= 0 else 0.0, size, in_use)


@pytest.mark.parametrize(
    ("them", "expected"),
    [
        ([], []),
        ([held("a", 29), held("b", 0)], []),
        ([held("a", 31), held("b", 0)], ["a"]),
        ([held("a", 31, in_use=True)], []),
        ([held("a", 3), held("b", 2), held("c", 1), held("d", 0, 80)], ["a"]),
        ([held("a", 3, in_use=True), held("b", 2), held("c", 1, 90)], ["b"]),
        ([held("a", 3, 200, in_use=True), held("b", 2), held("c", 1)], ["b", "c"]),
        ([held("a", 40, 100), held("b", 2, 60)], ["a"]),  # what goes by age makes room
        ([held("a", -1, 0), held("b", -1, 0, in_use=True)], ["a"]),
    ],
)
def test_what_goes(them: list[Held], expected: list[str]) -> None:
    found = going(them, Keep(most_bytes=105, days=30), NOW)
    assert [key for key, _ in found] == expected


def test_why_is_told() -> None:
    them = [held("a", -1), held("b", 31), held("c", 2, 200)]
    assert [why for _, why in going(them, Keep(most_bytes=105, days=30), NOW)] == [
        "was never finished",
        "was not used for 30 days",
        "was used longest ago, and all together are larger than 105 bytes",
    ]


def spec(requirement: str) -> EnvironmentSpec:
    return EnvironmentSpec(Interpreter("/usr/bin/python3", "3.11"), (PipInstall((requirement,)),))


def put(folder: Path, of: EnvironmentSpec, days: float) -> Path:
    """An environment that was used so many days before now."""
    made = folder / of.key
    (made / "bin").mkdir(parents=True)
    (made / "bin" / "python").write_bytes(b"x" * 5000)
    marker = made / MARKER
    marker.write_text(json.dumps({"installs": [{"requirements": list(of.installs[0].requirements)}]}))
    used = marker.stat().st_mtime - days * DAY
    os.utime(marker, (used, used))
    return made


async def test_a_folder_is_shed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    old, used, other, new = spec("old"), spec("used"), spec("other"), spec("new")
    for one, days in ((old, 31), (used, 32), (other, 33), (new, 1)):
        put(tmp_path, one, days)
    unfinished = tmp_path / ("0" * 24)
    (unfinished / "bin").mkdir(parents=True)
    (tmp_path / shedding.GONE / "left").mkdir(parents=True)
    (tmp_path / "python-3.11").mkdir()  # no environment: links for commands
    environments = Environments(tmp_path, "uv", {}, Keep())
    lock = os.open(tmp_path / f"{other.key}.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with environments.using(used):
        assert sorted(await environments.shed()) == sorted([old.key, unfinished.name])
    os.close(lock)
    shedding.clear(tmp_path)
    left = sorted(one.name for one in tmp_path.iterdir() if one.is_dir())
    assert left == sorted([used.key, other.key, new.key, "python-3.11"])
    assert "the environment old was not used for 30 days" in caplog.text
    assert await environments.shed() == [other.key], "the other one was used a moment ago"


async def test_sizes_count_together(tmp_path: Path) -> None:
    them = [spec(f"package{number}") for number in range(4)]
    for days, one in enumerate(them):
        put(tmp_path, one, days)
    most = shedding.size_of(tmp_path / them[0].key) * 5 // 2
    environments = Environments(tmp_path, "uv", {}, Keep(most_bytes=most))
    assert await environments.shed() == [them[3].key, them[2].key]
    assert await environments.shed() == []


async def test_nothing_was_made_yet(tmp_path: Path) -> None:
    assert await Environments(tmp_path / "none", "uv", {}, Keep()).shed() == []
