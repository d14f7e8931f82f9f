"""Drives a running platform as a client does: submits specs over gRPC, waits for their ends, reads tasks and events back.

Waiting polls one run at a time, so that it costs the platform little; every figure comes from the times that the platform
stored, or from the tasks themselves, never from when a poll noticed.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from fixtures.platforms import Platform
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import runs_pb2, runs_pb2_grpc

FINAL = (ev.RUN_SUCCEEDED, ev.RUN_FAILED, ev.RUN_CANCELED)
CLIENTS = 8
LOOK_EVERY_S = 0.1


class BenchmarkError(Exception):
    """A benchmark could not be measured; the sentence goes into its row."""


class Client:
    """What the benchmarks ask of one platform."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._runs = runs_pb2_grpc.RunsStub(channel)

    def submit(self, spec_json: str, parameters: Mapping[str, Any] | None = None, *, cache: bool = False) -> str:
        request = runs_pb2.SubmitRequest(spec_json=spec_json, parameters_json=json.dumps(parameters or {}))
        request.enable_cache = cache
        answer: rq.Run = self._runs.Submit(request, timeout=60)
        return answer.run_id

    def submit_many(self, specs: Sequence[str]) -> list[str]:
        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(self.submit, specs))

    def wait(self, run_id: str, within_s: float = 60.0, every_s: float = LOOK_EVERY_S) -> rq.Run:
        """The run when it has SUCCEEDED, looked for so often."""
        limit = time.monotonic() + within_s
        while time.monotonic() < limit:
            run: rq.Run = self._runs.Get(rq.GetRunRequest(run_id=run_id), timeout=30)
            if run.state in FINAL:
                if run.state != ev.RUN_SUCCEEDED:
                    raise BenchmarkError(f"run {run_id} ended {ev.RunState.Name(run.state)}: {self._why(run)}")
                return run
            time.sleep(every_s)
        raise BenchmarkError(f"run {run_id} did not end within {within_s:.0f} s")

    def tasks(self, run_id: str) -> list[rq.Task]:
        request = rq.ListTasksRequest(run_id=run_id, page_size=10_000)
        return list(self._runs.Tasks(request, timeout=60).tasks)

    def _why(self, run: rq.Run) -> str:
        failed = [task.error.message + task.error.log_tail for task in self.tasks(run.run_id) if task.error.message]
        return run.error.message or (failed[0] if failed else "no reason given")


@contextlib.contextmanager
def client(platform: Platform) -> Iterator[Client]:
    with grpc.insecure_channel(platform.grpc_address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield Client(channel)
