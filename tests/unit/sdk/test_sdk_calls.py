"""The calls on records against a server of the real Runs service: a fake at the edge, in this process.

- requests carry what was given; answers become plain values
- watch takes a broken stream up where it broke, and tasks are folded from its events
- each error reason raises its exception, with every problem; a platform that is gone is unreachable
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from headrace import errors
from headrace.api.calls import Calls
from headrace.compiler.package import Package
from headrace.dsl.components import Component, GraphImplementation
from headrace.dsl.interface import Interface
from headrace.finding import Address
from headrace.models import ValueReference
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2, runs_pb2
from headrace_protos.v1.runs_pb2_grpc import RunsServicer, add_RunsServicer_to_server

RUN_ID = "01900000-0000-7000-8000-000000000001"
WAITING = ev.WaitingOn(cause=ev.SLOTS, detail="waits for 4 CPUs")
EVENTS = [
    ev.Event(seq=1, time_us=1_000_000, run_created=ev.RunCreated()),
    ev.Event(seq=2, time_us=2_000_000, path="a", task_created=ev.TaskCreated(kind=ev.RUNTIME)),
    ev.Event(seq=3, time_us=2_000_000, path="b", task_created=ev.TaskCreated(kind=ev.RUNTIME, upstream=["a"])),
    ev.Event(seq=4, time_us=3_000_000, path="a", task_waiting=ev.TaskWaiting(waiting_on=WAITING)),
    ev.Event(seq=5, time_us=4_000_000, path="a", task_started=ev.TaskStarted()),
    ev.Event(seq=6, time_us=4_000_000, path="a", attempt=1, attempt_started=ev.AttemptStarted()),
    ev.Event(
        seq=7, time_us=5_000_000, path="a", attempt=1, attempt_finished=ev.AttemptFinished(state=ev.ATTEMPT_SUCCEEDED)
    ),
    ev.Event(seq=8, time_us=5_000_000, path="a", task_finished=ev.TaskFinished(state=ev.TASK_SUCCEEDED)),
    ev.Event(
        seq=9, time_us=6_000_000, path="b", task_finished=ev.TaskFinished(state=ev.TASK_SUCCEEDED, cached_from="r/b")
    ),
    ev.Event(seq=10, time_us=7_000_000, run_finished=ev.RunFinished(state=ev.RUN_SUCCEEDED)),
]


class FakeRuns(RunsServicer):
    """Answers from constants; `watched` and `submitted` are what it was asked."""

    def __init__(self) -> None:
        self.watched: list[int] = []
        self.submitted: list[runs_pb2.SubmitRequest] = []
        self.resumed: list[runs_pb2.ResumeRequest] = []
        self.terminated: list[runs_pb2.TerminateRunRequest] = []
        self.reason = "NOT_FOUND"
        self.breaks = False
        self.logged: list[tuple[int, int]] = []
        self.shown: run_query_pb2.Run | None = None

    async def Submit(self, request, context):  # noqa: N802
        self.submitted.append(request)
        return run_query_pb2.Run(run_id=RUN_ID, state=ev.RUN_PENDING)

    async def Resume(self, request, context):  # noqa: N802
        self.resumed.append(request)
        return run_query_pb2.Run(run_id=RUN_ID, state=ev.RUN_PENDING, resumed_from=request.run_id)

    async def Terminate(self, request, context):  # noqa: N802
        self.terminated.append(request)
        return run_query_pb2.Run(run_id=RUN_ID, state=ev.RUN_CANCELING)

    async def Get(self, request, context):  # noqa: N802
        if request.run_id != RUN_ID:
            await self._fail(context)
        if self.shown is not None:
            return self.shown
        outputs = ev.Values(
            parameters={
                "n": ev.Value(json="[1, null]"),
                "big": ev.Value(uri="file:///v", size=40_000, digest="sha256:0", type="LIST"),
            },
            artifacts={"m": ev.ArtifactList(artifacts=[ev.Artifact(uri="file:///m")])},
        )
        return run_query_pb2.Run(run_id=RUN_ID, state=ev.RUN_SUCCEEDED, created_at_us=1_500_000, outputs=outputs)

    async def Value(self, request, context):  # noqa: N802
        assert (request.run_id, request.path, request.name, request.input) == (RUN_ID, "", "big", False)
        for chunk in ('["\u00fc"'.encode()[:3], '["\u00fc"'.encode()[3:] + b"]"):
            yield runs_pb2.ValueResponse(data=chunk)

    async def _fail(self, context):
        status = status_pb2.Status(code=5, message="the sentence")
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason=self.reason, domain="headrace.v1"))
        bad = error_details_pb2.BadRequest()
        bad.field_violations.add(field="root.dag", description="is empty")
        status.details.add().Pack(bad)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        await context.abort(grpc.StatusCode.INTERNAL, "the sentence")

    async def Watch(self, request, context):  # noqa: N802
        self.watched.append(request.after_seq)
        rest = [event for event in EVENTS if event.seq > request.after_seq]
        if request.after_seq == 0:
            yield run_query_pb2.WatchResponse(events=rest[:4], state=ev.RUN_RUNNING)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "broken")
        yield run_query_pb2.WatchResponse(events=rest, state=ev.RUN_SUCCEEDED)

    async def Tasks(self, request, context):  # noqa: N802
        if not request.after_id:
            return run_query_pb2.ListTasksResponse(
                tasks=[run_query_pb2.Task(path="a", id=1, state=ev.TASK_SUCCEEDED)], next_after_id=1
            )
        return run_query_pb2.ListTasksResponse(tasks=[run_query_pb2.Task(path="b", id=2, state=ev.TASK_SKIPPED)])

    async def Logs(self, request, context):  # noqa: N802
        self.logged.append((request.offset, request.attempt))
        if self.breaks and not request.offset:
            yield runs_pb2.LogsResponse(data=b"first", attempt=2)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "broken")
        for part in (b"\xff\x00", b"end"):
            yield runs_pb2.LogsResponse(data=part, attempt=1)


@asynccontextmanager
async def served():
    fake, server = FakeRuns(), grpc.aio.server()
    add_RunsServicer_to_server(fake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with Calls.at(Address("http://unused", f"127.0.0.1:{port}")) as client:
            yield client, fake
    finally:
        await server.stop(None)


async def test_submit_carries_what_was_given(tmp_path):
    async with served() as (client, fake):
        (tmp_path / "p.zip").write_bytes(b"zip")
        run = await client.submit(
            tmp_path / "p.zip",
            {"x": [1]},
            text_parameters={"y": "2"},
            root_artifacts={"d": "s3://b"},
            enable_cache=False,
        )
        await client.submit({"spec": 1})
    first, second = fake.submitted
    assert (run.run_id, run.state, run.trace_id) == (RUN_ID, "PENDING", RUN_ID.replace("-", ""))
    assert (first.package, first.filename, json.loads(first.parameters_json)) == (b"zip", "p.zip", {"x": [1]})
    assert (dict(first.text_parameters), dict(first.root_artifacts)) == ({"y": "2"}, {"d": "s3://b"})
    assert first.HasField("enable_cache")
    assert not first.enable_cache
    assert json.loads(second.spec_json) == {"spec": 1}
    assert not second.HasField("enable_cache")
    assert first.request_id != second.request_id


async def test_what_the_compiler_made_is_sent_as_documents():
    flow = Component("flow", Interface(), GraphImplementation(Package({"root": {}})))
    async with served() as (client, fake):
        await client.submit(Package({"root": {}}, {"platforms": {}}))
        await client.submit(flow)
        with pytest.raises(
            errors.BadInput, match=r"^object is no pipeline; give a function decorated with @dsl\.pipeline"
        ):
            await client.submit(object())
    both = {"pipeline_spec": {"root": {}}, "platform_spec": {"platforms": {}}}
    assert [json.loads(one.spec_json) for one in fake.submitted] == [both, {"root": {}}]


async def test_resume_carries_what_was_given_and_nothing_else(tmp_path):
    async with served() as (client, fake):
        (tmp_path / "p.yaml").write_bytes(b"yaml")
        run = await client.resume(
            "origin", tmp_path / "p.yaml", {"x": 1}, from_tasks=["a", "loop[3]/b"], enable_cache=True, request_id="once"
        )
        await client.resume("origin")
    first, second = fake.resumed
    assert (run.state, run.resumed_from) == ("PENDING", "origin")
    assert (first.run_id, first.package, first.filename, first.request_id) == ("origin", b"yaml", "p.yaml", "once")
    assert (list(first.from_tasks), json.loads(first.parameters_json)) == (["a", "loop[3]/b"], {"x": 1})
    assert first.enable_cache
    second.request_id = ""
    assert second == runs_pb2.ResumeRequest(run_id="origin")


async def test_exit_tasks_are_asked_for():
    async with served() as (client, fake):
        await client.runs.terminate(RUN_ID)
        await client.runs.terminate(RUN_ID, run_exit_tasks=True)
    assert [one.run_exit_tasks for one in fake.terminated] == [False, True]


async def test_answers_are_plain_values():
    async with served() as (client, _):
        run = await client.runs.get(RUN_ID)
        tasks = await client.tasks(RUN_ID)
        log = [data async for data in client.logs(RUN_ID, "a")]
        whole = await client.outputs(run)
    big = ValueReference("file:///v", 40_000, "sha256:0", "LIST")
    assert run.outputs == {"n": [1, None], "big": big, "m": "file:///m"}
    assert whole == {"n": [1, None], "big": ["\u00fc"], "m": "file:///m"}
    assert str(big) == "LIST of 40000 bytes at file:///v"
    assert run.created_at.isoformat() == "1970-01-01T00:00:01.500000+00:00"
    assert [(task.path, task.state) for task in tasks] == [("a", "SUCCEEDED"), ("b", "SKIPPED")]
    assert log == [b"\xff\x00", b"end"]


async def test_a_broken_watch_is_taken_up_where_it_broke():
    seen = []
    async with served() as (client, fake):
        run = await client.wait(RUN_ID, progress=lambda one: seen.append((one.state, dict(one.tasks), one.changed)))
    assert run.state == "SUCCEEDED"
    assert fake.watched == [0, 4]
    state, tasks, _ = seen[0]
    assert (state, tasks["a"].state, tasks["a"].waiting_on.detail) == ("RUNNING", "READY", "waits for 4 CPUs")
    assert tasks["b"].waiting_on.tasks == ("a",)
    state, tasks, changed = seen[-1]
    assert (state, tasks["a"].state, len(tasks["a"].attempts)) == ("SUCCEEDED", "SUCCEEDED", 1)
    assert tasks["b"].cached
    assert tasks["b"].waiting_on is None
    assert [one.path for one in changed] == ["a", "b"]


async def test_a_log_that_is_followed_is_taken_up_where_it_broke():
    async with served() as (client, fake):
        fake.breaks = True
        assert [data async for data in client.logs(RUN_ID, "a", follow=True)] == [b"first", b"\xff\x00", b"end"]
        assert fake.logged == [(0, 0), (5, 2)]
        with pytest.raises(errors.PlatformUnreachable, match="broken"):
            [data async for data in client.logs(RUN_ID, "a")]


async def test_waiting_without_looking_reads_no_old_events():
    async with served() as (client, fake):
        assert (await client.wait(RUN_ID)).state == "SUCCEEDED"
        assert fake.watched == []
        fake.shown = run_query_pb2.Run(run_id=RUN_ID, state=ev.RUN_RUNNING, revision=8)
        await client.wait(RUN_ID)
        assert fake.watched == [8]
        seen = [one.state async for one in client.watch(RUN_ID, after=8)]
    assert seen == ["SUCCEEDED"]


@pytest.mark.parametrize(("reason", "kind"), errors.BY_REASON.items())
async def test_each_reason_raises_its_exception(reason, kind):
    async with served() as (client, fake):
        fake.reason = reason
        with pytest.raises(errors.HeadraceError, match="the sentence") as caught:
            await client.runs.get("other")
    assert type(caught.value) is kind
    if isinstance(caught.value, errors.BadInput):
        assert [str(problem) for problem in caught.value.problems] == ["root.dag: is empty"]


async def test_nobody_listens():
    async with Calls.at(Address("http://unused", "127.0.0.1:1")) as client:
        with pytest.raises(errors.PlatformUnreachable, match=r"no platform answers at 127\.0\.0\.1:1"):
            await client.runs.get(RUN_ID)
