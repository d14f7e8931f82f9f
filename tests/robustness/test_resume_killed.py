"""A resumed run whose platform is killed: what the origin had done is linked once and never runs; the rest comes to its end."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from builders.specs import Pipeline, container, dag, dag_input, pipeline
from corpus import driving
from fixtures import counting
from fixtures.platforms import TOPOLOGIES, Platform, running
from fixtures.records import Records

ITEMS = 20
WORK = 'echo "$0" >> "$1/counter"; test "$(($0 % 2))" = 0 || test -e "$1/open" || exit 1; sleep "$2"'


def halves(folder: Path) -> Pipeline:
    """A loop of which every second item fails until the file `open` is there, and a task after it."""
    name = "{{$.inputs.parameters['name']}}"
    work = container(["sh", "-c", WORK], [name, str(folder), "0.2"], inputs={"name": "NUMBER_INTEGER"})
    body = dag({"item": "NUMBER_INTEGER"}).task("work", work, {"name": dag_input("item")})
    flow = pipeline("halves").task("loop", body, items=json.dumps(list(range(ITEMS))), parallelism=4)
    return flow.task("last", work, {"name": 100}, after=["loop"])


def killed(platform: Platform) -> None:
    """kill -9 of whatever drives runs, and another start of it."""
    if platform.topology == "processes":
        platform.kill("scheduler")
        platform.start_again("scheduler")
    else:
        os.kill(platform.pids[0], signal.SIGKILL)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_what_the_origin_did_is_done_once(topology: str, tmp_path: Path) -> None:
    home, counter = tmp_path / "home", tmp_path / "counter"
    with running(topology, home) as platform:
        with Records(platform.url) as client:
            origin = client.wait(client.submit(halves(tmp_path).build(), enable_cache=False).run_id, timeout=90)
            assert origin.state == "FAILED"
            (tmp_path / "open").touch()
            before = counting.counted(counter)
            resumed = client.resume(origin.run_id).run_id
        counting.until("the first tasks at work", lambda: counting.counted(counter) != before, platform)
        killed(platform)
        if topology == "processes":
            assert counting.wait_until_ended(platform, resumed, 90) == "RUN_SUCCEEDED"
            check(platform, origin.run_id, resumed, counter)
    if topology == "embedded":
        with running(topology, home) as again:
            assert counting.wait_until_ended(again, resumed, 90) == "RUN_SUCCEEDED"
            check(again, origin.run_id, resumed, counter)


def check(platform: Platform, origin: str, resumed: str, counter: Path) -> None:
    ran = counting.counted(counter)
    tasks = {task["path"]: task for task in counting.leaves(platform, resumed)}
    assert len(tasks) == ITEMS + 1
    for number in range(ITEMS):
        path = f"loop[{number}]/work"
        attempts = tasks[path].get("attempts", [])
        if number % 2 == 0:
            assert (tasks[path]["linked_from"], attempts, ran[str(number)]) == (f"{origin}/{path}", [], 1), path
        else:
            assert "linked_from" not in tasks[path]
            assert [one["state"] for one in attempts].count("ATTEMPT_SUCCEEDED") == 1
            assert 2 <= ran[str(number)] <= 1 + len(attempts), path
    view = driving.view(platform.url, resumed)
    assert view.tasks["last"].state == "SUCCEEDED"
