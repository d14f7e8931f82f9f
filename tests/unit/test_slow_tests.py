"""What a test that is running out of time is told to wait for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures import fix_slow_tests as slow
from fixtures.platforms import STARTED, Platform


def test_the_processes_that_a_test_has_started_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(slow, "WIDTH", 10_000)  # a long path of the interpreter would push the program out of the line
    program = "import sys; print(flush=True); sys.stdin.read()"
    argv, pipe = [sys.executable, "-c", program], subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, start_new_session=True) as child:
        assert child.stdout is not None
        child.stdout.readline()  # before it runs, its command line may still be empty
        told = list(slow._processes())
        assert any(f"{os.getpid():>8} of " in line for line in told)
        assert any(f"{child.pid:>8} of {os.getpid():>8} " in line and program in line for line in told)
    assert not any(f"{child.pid:>8} of " in line for line in slow._processes())


def test_a_platform_that_does_not_answer_is_named(tmp_path: Path):
    nobody = Platform("embedded", tmp_path, "127.0.0.1:1", "127.0.0.1:1", ())
    STARTED.append(nobody)
    try:
        assert any(line.startswith(f"embedded {tmp_path} does not answer") for line in slow._unfinished())
    finally:
        STARTED.remove(nobody)
