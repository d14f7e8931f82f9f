"""Watching on the real platform, in both topologies: each way tells the same events of a run, and of all runs.

- the command, the client of both kinds and server-sent events agree, from the beginning, from any event and by kind
- what is watched live is what is there afterwards
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import threading
import urllib.request
import uuid
from typing import Any

from builders.server_sent import Parser
from fixtures.platforms import HEADRACE, Platform
from headrace import AsyncClient, dsl
from headrace.client import Client


@dsl.component
def double(x: int) -> int:
    """One task."""
    return 2 * x


@dsl.pipeline
def loop(salt: str) -> None:
    """Several tasks, some at once."""
    with dsl.ParallelFor([1, 2, 3], name="loop") as x:
        double(x=x)


def server_sent(platform: Platform, path: str, last: str | None = None) -> list[dict[str, Any]]:
    """The events of a stream up to its `end`."""
    request = urllib.request.Request(f"{platform.url}/apis/headrace.v1{path}")
    if last is not None:
        request.add_header("Last-Event-ID", last)
    found = []
    with urllib.request.urlopen(request, timeout=60) as answer:
        for kind, data in Parser().lines(answer):
            if kind == "end":
                return found
            assert kind == "message", data
            found.append(data)
    raise AssertionError("the stream ended without saying so")


def command(platform: Platform, *arguments: str) -> subprocess.CompletedProcess[str]:
    given = [str(HEADRACE), "runs", "watch", *arguments, "--endpoint", platform.url]
    return subprocess.run(given, capture_output=True, text=True, timeout=60, check=False, env=os.environ)


def test_every_way_tells_the_same(platform: Platform) -> None:
    with Client(platform.url) as client:
        run = client.submit(loop, salt=uuid.uuid4().hex)
        live: list[dict[str, Any]] = []
        reading = threading.Thread(target=lambda: live.extend(server_sent(platform, f"/runs/{run.id}/events")))
        reading.start()
        told = list(run.events())
        reading.join()
        assert [event.seq for event in told] == list(range(1, len(told) + 1))
        assert [event.sequence for event in told] == [event.seq for event in told]
        assert (told[0].kind, told[-1].kind) == ("run_created", "run_finished")
        assert {event.run_id for event in told} == {run.id}
        assert len([event for event in told if event.kind == "attempt_finished"]) == 3
        assert [(one["seq"], one["kind"], one["data"]) for one in live] == [(e.seq, e.kind, e.data) for e in told]
        assert server_sent(platform, f"/runs/{run.id}/events", last="5") == live[5:]
        assert list(run.events(after=5, kinds=["task_finished"])) == [
            event for event in told[5:] if event.kind == "task_finished"
        ]
        lines = command(platform, run.id, "--json")
        assert (lines.returncode, [json.loads(line) for line in lines.stdout.splitlines()]) == (0, live), lines.stderr
        of_all = [event for event in client.events(follow=False) if event.run_id == run.id]
        assert [(e.seq, e.kind, e.data) for e in of_all] == [(e.seq, e.kind, e.data) for e in told]
        after = command(platform, "--json", "--no-follow", "--after", str(of_all[2].sequence))
        found = [json.loads(line) for line in after.stdout.splitlines()]
        assert [one["seq"] for one in found if one["run_id"] == run.id] == [event.seq for event in told[3:]]
        text = command(platform, run.id, "--kind", "task_finished")
        assert "for-loop-2[0]/double  task_finished  SUCCEEDED" in text.stdout, text.stdout
        assert command(platform, run.id).returncode == 0


async def test_what_begins_after_now_is_told_live(platform: Platform) -> None:
    async with AsyncClient(platform.url) as client:
        before = await client.submit(loop, salt=uuid.uuid4().hex)
        await before.wait(progress=False)
        stream = aiter(client.events(from_now=True, kinds=["run_created", "run_finished"]))
        first = asyncio.create_task(anext(stream))
        run = None
        async with asyncio.timeout(60):
            while not first.done():  # the stream is open once it tells of a run that began after it
                run = await client.submit(loop, salt=uuid.uuid4().hex)
                await run.wait(progress=False)
            event = await first
            assert event.run_id != before.id
            assert run is not None
            while (event.run_id, event.kind) != (run.id, "run_finished"):
                event = await anext(stream)
    assert event.data["state"] == "RUN_SUCCEEDED"


def test_a_wrong_kind_and_an_unknown_run_are_sentences(platform: Platform) -> None:
    wrong = command(platform, "--kind", "task_ended")
    assert (wrong.returncode, "'task_ended' is no kind of event" in wrong.stderr) == (2, True), wrong.stderr
    unknown = command(platform, "0197c3a8-0000-7000-8000-000000000000", "--json")
    assert (unknown.returncode, "there is no run 0197c3a8" in unknown.stderr) == (2, True), unknown.stderr
