"""`kill -9` of the whole platform at random points of a run of thirty tasks, then `headrace up` again, five times."""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import time
from pathlib import Path

import psutil
import pytest

from builders.specs import constant, container, dag, dag_input, pipeline
from corpus import driving
from fixtures.platforms import Platform, running

TASKS, KILLS = 30, 5
SEED = int(os.environ.get("KILL_SEED", "20261121"))  # another one tries other points in the run
APPEND = 'echo "$0" >> "$1"; sleep 0.7'


def thirty_tasks(counter: Path) -> dict:
    """A loop over 24 items and a chain of six; each task says its name in the counter's file, then works a while."""
    work = container(["sh", "-c", APPEND], ["{{$.inputs.parameters['name']}}", str(counter)], inputs={"name": "STRING"})
    body = dag({"item": "STRING"}).task("work", work, {"name": dag_input("item")})
    flow = pipeline("thirty").task("wide", body, items=json.dumps([f"wide-{i}" for i in range(24)]))
    for i in range(6):
        flow.task(f"chain-{i}", work, {"name": constant(f"chain-{i}")}, after=[f"chain-{i - 1}"] if i else None)
    return flow.build()


def leaves(platform: Platform, run_id: str) -> list[dict]:
    tasks = platform.get(f"/apis/headrace.v1/runs/{run_id}/tasks")["tasks"]
    return [task for task in tasks if task["kind"] == "RUNTIME"]


def state(platform: Platform, run_id: str) -> str:
    return platform.get(f"/apis/headrace.v1/runs/{run_id}")["state"]


def name_of(task: dict) -> str:
    return f"wide-{task['path'].split('[')[1].split(']')[0]}" if task["path"].startswith("wide") else task["path"]


def everything_below(platform: Platform) -> list[psutil.Process]:
    own = [psutil.Process(pid) for pid in platform.pids]
    return own + [child for one in own for child in one.children(recursive=True)]


def wait_until_ended(platform: Platform, run_id: str) -> str:
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        if (now := state(platform, run_id)) in ("RUN_SUCCEEDED", "RUN_FAILED", "RUN_CANCELED"):
            return now
        time.sleep(0.1)
    pytest.fail(f"run {run_id} did not end: {state(platform, run_id)}")


def succeeded(tasks: list[dict]) -> dict[str, int]:
    """Name → attempts of the tasks whose success is committed."""
    return {name_of(task): len(task["attempts"]) for task in tasks if task["state"] == "TASK_SUCCEEDED"}


@pytest.mark.timeout(300)
def test_killed_five_times_the_run_finishes_and_nothing_committed_runs_twice(tmp_path):
    chance = random.Random(SEED)
    counter, home, file = tmp_path / "counter", tmp_path / "home", tmp_path / "thirty.json"
    counter.touch()
    file.write_text(json.dumps(thirty_tasks(counter)))
    run_id, committed, dead = "", {}, []
    for round_ in range(KILLS):
        with running("embedded", home) as platform:
            assert [one for one in dead if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
            if not run_id:
                said = driving.command("run", str(file), "--no-wait", "-o", "json", "--endpoint", platform.url)
                assert said.code == 0, said.stderr
                run_id = json.loads(said.stdout)["run_id"]
            time.sleep(chance.uniform(0.3, 1.2))  # the point of the kill is what this test varies
            committed = succeeded(leaves(platform, run_id)) if round_ else {}
            lines = collections.Counter(counter.read_text().split())
            dead = everything_below(platform)
            os.kill(platform.pids[0], signal.SIGKILL)
    with running("embedded", home) as platform:
        assert [one for one in dead if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
        assert wait_until_ended(platform, run_id) == "RUN_SUCCEEDED"
        tasks = leaves(platform, run_id)
    assert len(tasks) == TASKS
    ran = collections.Counter(counter.read_text().split())
    for task in tasks:
        states = [attempt["state"] for attempt in task["attempts"]]
        assert states[-1] == "ATTEMPT_SUCCEEDED", task["path"]
        assert "ATTEMPT_SUCCEEDED" not in states[:-1], f"{task['path']} ran again after its success was committed"
        assert 1 <= ran[name_of(task)] <= len(states), task["path"]
    for name, attempts in committed.items():
        assert succeeded(tasks)[name] == attempts
        assert ran[name] == lines[name]
