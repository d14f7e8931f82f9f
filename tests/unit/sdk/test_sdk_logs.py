"""`runs logs` against a server of the real Runs service: a fake at the edge, in this process.

- without a task: every log in the tasks' order, lines with their task, some asked for at once, never more than the bound
- of very many tasks those that failed come first, and it is said how many are left out
- a task without a log, and one whose log cannot be read
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest

from headrace.api.calls import Calls
from headrace.cli.logs import AHEAD, MOST, chosen, logs
from headrace.errors import HeadraceError
from headrace.finding import Address
from headrace.models import Attempt, Task
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2, runs_pb2
from headrace_protos.v1.runs_pb2_grpc import RunsServicer, add_RunsServicer_to_server

RUN_ID = "01900000-0000-7000-8000-000000000001"


class FakeRuns(RunsServicer):
    """COUNT tasks that write two lines in torn chunks; those of GONE have no log, that of BROKEN cannot be read."""

    def __init__(self, count: int, failed=(), gone=(), broken=-1) -> None:
        self.count, self.failed, self.gone, self.broken = count, failed, gone, broken
        self.open = self.most = 0
        self.asked: list[str] = []

    async def Get(self, request, context):  # noqa: N802
        return run_query_pb2.Run(run_id=RUN_ID, state=ev.RUN_FAILED)

    async def Tasks(self, request, context):  # noqa: N802
        answer = run_query_pb2.ListTasksResponse()
        for index in range(self.count):
            state = ev.TASK_FAILED if index in self.failed else ev.TASK_SUCCEEDED
            task = answer.tasks.add(path=f"t{index}", id=index + 1, state=state)
            task.attempts.add(number=1)
        answer.tasks.add(path="skipped", id=self.count + 1, state=ev.TASK_SKIPPED)
        return answer

    async def Logs(self, request, context):  # noqa: N802
        self.asked.append(request.path)
        index = int(request.path[1:])
        # Not counted as open: the caller may have its answer, and ask for the next, before what follows an abort here has run.
        if index in self.gone:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no log")
        if index == self.broken:
            await context.abort(grpc.StatusCode.INTERNAL, "the disk is gone")
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            for part in (b"one\nt", b"wo", b"\nthree"):
                yield runs_pb2.LogsResponse(data=part, attempt=1)
        finally:
            self.open -= 1


@asynccontextmanager
async def served(fake):
    server = grpc.aio.server()
    add_RunsServicer_to_server(fake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with Calls.at(Address("http://unused", f"127.0.0.1:{port}")) as client:
            yield client
    finally:
        await server.stop(None)


async def printed(fake, capsysbinary) -> tuple[list[str], str]:
    async with served(fake) as client:
        assert await logs(client, argparse.Namespace(run=RUN_ID, task=None, follow=False)) == 0
    out, err = capsysbinary.readouterr()
    return out.decode().splitlines(), err.decode()


async def test_every_log_of_a_small_run_in_the_order_of_its_tasks(capsysbinary):
    fake = FakeRuns(20, failed=(7,), gone=(3,))
    lines, said = await printed(fake, capsysbinary)
    assert lines == [f"t{index}  {word}" for index in range(20) if index != 3 for word in ("one", "two", "three")]
    assert said == ""
    assert 1 <= fake.most <= AHEAD


async def test_of_very_many_those_that_failed_come_first(capsysbinary):
    fake = FakeRuns(1_234, failed=(900, 1_000))
    lines, said = await printed(fake, capsysbinary)
    wanted = ["t900", "t1000", *(f"t{index}" for index in range(MOST - 2))]
    assert list(dict.fromkeys(line.split()[0] for line in lines)) == wanted
    assert sorted(fake.asked) == sorted(wanted)
    assert said == (
        "headrace: the logs of 100 tasks are shown, those that failed first, and 1,134 are left out; "
        f"to see one: headrace runs logs {RUN_ID} --task PATH\n"
    )


async def test_where_no_task_has_a_log_it_is_said(capsysbinary):
    lines, said = await printed(FakeRuns(0), capsysbinary)
    assert lines == []
    assert (
        said
        == f"headrace: no task of run {RUN_ID} has a log: none has run, or all came from the cache or another run\n"
    )


async def test_a_log_that_cannot_be_read_ends_the_command(capsysbinary):
    with pytest.RaisesGroup(pytest.RaisesExc(HeadraceError, match="the disk is gone")):
        async with asyncio.timeout(20):
            await printed(FakeRuns(50, broken=30), capsysbinary)


def test_more_that_failed_than_are_shown():
    tasks = [Task(f"t{index}", "FAILED", attempts=(Attempt(1, "FAILED"),)) for index in range(300)]
    shown, left_out = chosen([Task("none", "SKIPPED"), *tasks])
    assert [task.path for task in shown] == [f"t{index}" for index in range(MOST)]
    assert left_out == 200
