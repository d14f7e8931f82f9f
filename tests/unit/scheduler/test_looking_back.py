"""Reading the run that another one resumes: its pages, what is made of its tasks, and when there is none."""

from __future__ import annotations

import pytest

from builders.specs import container, pipeline
from builders.worlds import plan_of
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler.engine import PlanIndex
from headrace_scheduler.looking_back import PAGE, Origins
from headrace_servicekit.errors import Reason, ServiceError

PLAN = plan_of(pipeline().task("a", container()).task("b", container()))
ARTIFACT = ev.Artifact(artifact_id="x", uri="file:///x", id=7)
TASKS = [
    rq.Task(
        path="a",
        kind=ev.RUNTIME,
        state=ev.TASK_SUCCEEDED,
        outputs=ev.Values(artifacts={"m": ev.ArtifactList(artifacts=[ARTIFACT])}),
    ),
    rq.Task(path="b", kind=ev.RUNTIME, state=ev.TASK_SUCCEEDED, linked_from="first/b"),
]


class FakeQuery:
    """persistence at the edge: two pages of one task each; `calls` are the reads."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def GetSpec(self, request: rq.GetSpecRequest) -> rq.GetSpecResponse:  # noqa: N802
        self.calls.append("spec")
        if request.run_id == "gone":
            raise ServiceError(Reason.NOT_FOUND, "Run gone not found")
        if request.run_id == "away":
            raise ServiceError(Reason.UNAVAILABLE, "persistence cannot be reached")
        return rq.GetSpecResponse(plan=PLAN.SerializeToString(), inputs=ev.Values(parameters={"p": ev.Value(json="1")}))

    async def ListTasks(self, request: rq.ListTasksRequest) -> rq.ListTasksResponse:  # noqa: N802
        self.calls.append("tasks")
        assert request.page_size == PAGE
        return rq.ListTasksResponse(
            tasks=TASKS[request.after_id : request.after_id + 1], next_after_id=1 - request.after_id
        )


def resuming(run_id: str, state: int = ev.RUN_PENDING) -> rs.RunSnapshot:
    return rs.RunSnapshot(run_id="new", state=state, resume=rs.Resume(run_id=run_id, from_tasks=["b"]))


async def test_all_pages_are_read():
    origin = await Origins(FakeQuery(), PlanIndex).of(resuming("origin"))
    assert origin is not None
    assert {path: done.made_by for path, done in origin.tasks.items()} == {"a": "origin/a", "b": "first/b"}
    assert origin.given.parameters["p"].json == "1"
    assert (origin.runs_again("b"), origin.runs_again("a")) == (True, False)
    (artifact,) = origin.tasks["a"].outputs.artifacts["m"].artifacts
    assert (artifact.artifact_id, artifact.id) == ("x", 0)


@pytest.mark.parametrize(
    "snapshot", [rs.RunSnapshot(run_id="new"), resuming("origin", ev.RUN_SUCCEEDED), resuming("gone")]
)
async def test_there_may_be_none(snapshot):
    assert await Origins(FakeQuery(), PlanIndex).of(snapshot) is None


async def test_a_store_that_is_away_is_no_reason_to_run_everything():
    with pytest.raises(ServiceError, match="cannot be reached"):
        await Origins(FakeQuery(), PlanIndex).of(resuming("away"))


async def test_what_was_read_ahead_is_not_read_twice():
    query = FakeQuery()
    origins = Origins(query, PlanIndex)
    await origins.read_ahead(["origin", "gone", "origin"])
    read = len(query.calls)
    origin = await origins.of(resuming("origin"))
    assert origin is not None
    assert len(query.calls) == read
    origins.forget()
    await origins.of(resuming("origin"))
    assert len(query.calls) > read
