"""A run of 200 tasks is watched while apiserver, persistence, Postgres and scheduler are killed and started again, one after the
other: each watcher sees every event exactly once, by its sequence number.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builders.server_sent import Parser
from fixtures import counting
from fixtures.platforms import HEADRACE, Platform, faults_in_logs, running

WIDE, CHAIN = 180, 20
RESTARTED = ("apiserver", "persistence", "postgres", "scheduler", "persistence", "apiserver")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Platform]:
    home = tmp_path / "watched"
    with running("processes", home) as platform:
        yield platform
    assert faults_in_logs(home) == []


class Browser(threading.Thread):
    """Reads server-sent events as a browser does: comes back by itself, with the last id."""

    def __init__(self, platform: Platform, path: str, over: str) -> None:
        super().__init__(daemon=True)
        self.platform, self.path, self.over = platform, path, over
        self.seen: list[dict[str, Any]] = []
        self.connections = 0

    def run(self) -> None:
        parser = Parser()
        while True:
            request = urllib.request.Request(f"{self.platform.url}/apis/headrace.v1{self.path}")
            if parser.last_id:
                request.add_header("Last-Event-ID", parser.last_id)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    self.connections += 1
                    if self._read(parser, answer):
                        return
            except (urllib.error.URLError, ConnectionError, OSError):
                time.sleep(0.1)  # a browser waits two seconds; the process boundary gives nothing to await

    def _read(self, parser: Parser, answer: Any) -> bool:
        for kind, data in parser.lines(answer):
            if kind == "end":
                return True
            assert kind == "message", data
            self.seen.append(data)
            if (data["run_id"], data["kind"]) == (self.over, "run_finished"):
                return True
        return answer.status == 204


@pytest.mark.timeout(300)
def test_every_event_once_through_restarts(services: Platform, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.touch()
    document = counting.counting(counter, wide=WIDE, chain=CHAIN, seconds=0.05)
    run_id = counting.submit(services, document, tmp_path)
    of_run = Browser(services, f"/runs/{run_id}/events", run_id)
    of_all = Browser(services, "/events", run_id)
    given = [str(HEADRACE), "runs", "watch", run_id, "--json", "--endpoint", services.url]
    with subprocess.Popen(given, stdout=subprocess.PIPE, text=True, env=os.environ) as command:
        assert command.stdout is not None
        first = command.stdout.readline()  # it has found the platform
        of_run.start()
        of_all.start()
        for number, service in enumerate(RESTARTED):
            enough = 15 + 25 * number
            counting.until(
                f"{enough} tasks at work", lambda many=enough: len(counting.counted(counter)) >= many, services, 120
            )
            services.kill(service)
            services.start_again(service)
        assert counting.wait_until_ended(services, run_id, 200) == "RUN_SUCCEEDED"
        lines = [json.loads(line) for line in (first + command.stdout.read()).splitlines()]
        assert command.wait() == 0
    for browser in (of_run, of_all):
        browser.join(60)
        assert not browser.is_alive()
        assert browser.connections > 1
    last = services.get(f"/apis/headrace.v1/runs/{run_id}")["revision"]
    whole = list(range(1, int(last) + 1))
    assert len(whole) > 5 * (WIDE + CHAIN)
    assert [one["sequence"] for one in lines] == whole
    assert [one["sequence"] for one in of_run.seen] == whole
    assert [one["seq"] for one in of_all.seen if one["run_id"] == run_id] == whole
    numbers = [one["sequence"] for one in of_all.seen]
    assert numbers == sorted(set(numbers))
