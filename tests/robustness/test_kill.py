"""`kill -9` of the whole platform at random points of a run of thirty tasks, then `headrace up` again, five times."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from fixtures import counting
from fixtures.platforms import running

TASKS, KILLS = 30, 5
SEED = int(os.environ.get("KILL_SEED", "20261121"))  # another one tries other points in the run


def succeeded(tasks: list[dict]) -> dict[str, int]:
    """Name → attempts of the tasks whose success is committed."""
    return {counting.name_of(task): len(task["attempts"]) for task in tasks if task["state"] == "TASK_SUCCEEDED"}


@pytest.mark.timeout(300)
def test_killed_five_times_the_run_finishes_and_nothing_committed_runs_twice(tmp_path):
    chance = random.Random(SEED)
    counter, home = tmp_path / "counter", tmp_path / "home"
    counter.touch()
    run_id, committed, dead = "", {}, []
    for round_ in range(KILLS):
        with running("embedded", home) as platform:
            assert counting.living(dead) == []
            if not run_id:
                run_id = counting.submit(platform, counting.counting(counter, wide=24, chain=6, seconds=0.7), tmp_path)
            time.sleep(chance.uniform(0.3, 1.2))  # the point of the kill is what this test varies
            committed = succeeded(counting.leaves(platform, run_id)) if round_ else {}
            lines = counting.counted(counter)
            dead = counting.everything_below(platform)
            os.kill(platform.pids[0], signal.SIGKILL)
    with running("embedded", home) as platform:
        assert counting.living(dead) == []
        assert counting.wait_until_ended(platform, run_id) == "RUN_SUCCEEDED"
        tasks = counting.leaves(platform, run_id)
    assert len(tasks) == TASKS
    ran = counting.counted(counter)
    for task in tasks:
        states = [attempt["state"] for attempt in task["attempts"]]
        assert states[-1] == "ATTEMPT_SUCCEEDED", task["path"]
        assert "ATTEMPT_SUCCEEDED" not in states[:-1], f"{task['path']} ran again after its success was committed"
        assert 1 <= ran[counting.name_of(task)] <= len(states), task["path"]
    for name, attempts in committed.items():
        assert succeeded(tasks)[name] == attempts
        assert ran[name] == lines[name]
