"""The folder in which tasks find the platform's own runtime: made once, by attempts that begin at the same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import headrace
from headrace_scheduler.executors.process.runtimes import own_copy


def test_attempts_that_begin_at_once_make_one_folder(tmp_path):
    for number in range(20):
        home = tmp_path / str(number)
        together = threading.Barrier(8)

        def begin(home=home, together=together) -> str:
            together.wait()
            return own_copy(home)

        with ThreadPoolExecutor(8) as pool:
            found = {task.result() for task in [pool.submit(begin) for _ in range(8)]}
        (folder,) = found
        assert [entry.name for entry in Path(folder).iterdir()] == ["headrace"]
        assert (Path(folder) / "headrace").resolve() == Path(headrace.__file__).resolve().parent


def test_a_platform_that_moved_is_followed(tmp_path):
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime" / "headrace").symlink_to(tmp_path / "gone")
    folder = own_copy(tmp_path)
    assert (Path(folder) / "headrace" / "runtime").is_dir()
