"""Sources of imported artifacts that fail while a run goes on: the platform killed in the middle of a transfer, a source that
says nothing while the platform is to end, and one that changes between two runs.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from builders.specs import artifact, container, importer, pipeline
from fixtures.fix_http import Pages
from fixtures.platforms import Platform, running
from fixtures.records import Records

OUTPUT = "{{$.outputs.parameters['Output'].output_file}}"
BODY = b"0123456789" * 300_000


def flow(uri: str):
    read = container(["sh", "-ec", 'wc -c < "$1" > "$0"', OUTPUT, "{{$.inputs.artifacts['data'].path}}"])
    read.output("Output", "STRING").input_artifact("data", "system.Dataset")
    made = pipeline("reads").task("get", importer(), {"uri": uri})
    return made.task("read", read, {"data": artifact("get")}).returns("size", "read")


def wait_for_its_fetch(platform: Platform, run_id: str, uri: str) -> None:
    """Until the run says that it fetches."""
    while True:
        tasks = platform.get(f"/apis/headrace.v1/runs/{run_id}/tasks").get("tasks", [])
        waits = [task["waiting_on"].get("detail", "") for task in tasks if task.get("waiting_on")]
        if any(f"fetching {uri}" in detail for detail in waits):
            return
        time.sleep(0.05)


def size(platform: Platform, run_id: str) -> str:
    with Records(platform.url) as client:
        run = client.wait(run_id, timeout=60)
        assert run.state == "SUCCEEDED", [task.error for task in client.tasks(run_id)]
        return str(run.outputs["size"]).strip()


def submit(platform: Platform, uri: str) -> str:
    with Records(platform.url) as client:
        return client.submit(flow(uri).build(), enable_cache=False).run_id


def test_killed_in_the_middle_of_a_transfer_the_run_finishes(pages: Pages, tmp_path: Path) -> None:
    gate, home = threading.Event(), tmp_path / "home"
    uri = pages.put("/data", BODY, etag='"1"', gate=gate)
    with running("embedded", home) as platform:
        run_id = submit(platform, uri)
        wait_for_its_fetch(platform, run_id, uri)
        os.kill(platform.pids[0], signal.SIGKILL)
    gate.set()
    with running("embedded", home) as platform:
        assert size(platform, run_id) == str(len(BODY))
    assert not list((home / "imports").glob(".unfinished/*"))


def test_a_silent_server_does_not_keep_the_platform_from_ending(pages: Pages, tmp_path: Path) -> None:
    gate = threading.Event()
    uri = pages.put("/data", BODY, gate=gate)
    with running("embedded", tmp_path / "home") as platform:
        run_id = submit(platform, uri)
        wait_for_its_fetch(platform, run_id, uri)
    gate.set()  # the platform has ended within the time that it promises; else `running` would have said so


def test_a_source_that_changed_is_read_anew(pages: Pages, tmp_path: Path) -> None:
    uri = pages.put("/data", BODY, etag='"1"')
    with running("embedded", tmp_path / "home") as platform:
        assert size(platform, submit(platform, uri)) == str(len(BODY))
        pages.put("/data", b"less", etag='"2"')
        assert size(platform, submit(platform, uri)) == "4"
        assert size(platform, submit(platform, uri)) == "4"
    assert pages.whole == 2
