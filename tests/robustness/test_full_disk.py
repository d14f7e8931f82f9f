"""No space left: the run waits and says so, goes on once there is room, and nothing that was committed is lost."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builders.launches import launch, store_in, watching
from fixtures import counting
from fixtures.platforms import Platform, running
from headrace_companion.folder_store import FolderStore
from headrace_companion.store import Stored
from headrace_scheduler.executors.port import OutputArtifact
from headrace_scheduler.executors.process.executor import ProcessExecutor

SMALL = "160m"


class FullStore(FolderStore):
    """A folder on a disk that has no room for an artifact."""

    def put(self, key: str, source: Path, **more: Any) -> Stored:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_outputs_that_find_no_room_are_told_and_tried_again(tmp_path, caplog):
    store = FullStore.from_uri(store_in(tmp_path).root)
    async with watching(ProcessExecutor(tmp_path, store, os.environ)) as watched:
        path = "{{$.outputs.artifacts['a'].path}}"
        result = await watched.run(launch(store, "sh", "-c", "echo x > $0", path, artifacts=[OutputArtifact("a")]))
    assert result.error.message == (
        "outputs could not be stored: no space is left on the disk: make room, the task is tried again"
    )
    assert "no space is left on the disk" in caplog.text


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL},mode=0755", "tmpfs", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def fill(file: Path) -> None:
    """Take what room there is, again and again: attempts that end give some back."""
    with file.open("ab", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(1 << 16))


def told(platform: Platform, filler: Path) -> bool:
    fill(filler)
    return "make room" in platform.log("up")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk; the test above runs for everybody")
def test_a_full_disk_makes_runs_wait(small_disk, tmp_path):
    counter = tmp_path / "counter"
    counter.touch()
    with running("embedded", small_disk / "home") as platform:
        document = counting.counting(counter, wide=2, chain=10, seconds=0.3)
        run_id = counting.submit(platform, document, tmp_path)
        counting.until("the first task at work", lambda: bool(counter.read_text()), platform)
        counting.until("a sentence about the disk", lambda: told(platform, small_disk / "filler"), platform)
        assert counting.state(platform, run_id) == "RUN_RUNNING"
        (small_disk / "filler").unlink()
        assert counting.wait_until_ended(platform, run_id) == "RUN_SUCCEEDED"
        assert "Traceback" not in platform.log("up")
        for task in counting.leaves(platform, run_id):
            states = [attempt["state"] for attempt in task["attempts"]]
            assert states[-1] == "ATTEMPT_SUCCEEDED"
            assert states.count("ATTEMPT_SUCCEEDED") == 1
