"""Values of every kind come back as they went in: NUL, quotes, backslashes, braces, the word NULL, any character of Unicode."""

from __future__ import annotations

import pytest

from builders.runevents import created, event, finished, started
from fixtures.fix_persistence import Persistence, Scheduler
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_protos.v1 import run_store_pb2 as rs

TEXTS = ['"', "\\", "{}", "NULL", ",", "", "a b", "\U0001f600é", "'; --", "\n\t", "%s", "for[3]"]


@pytest.mark.parametrize("text", TEXTS)
async def test_texts_and_values(text: str, persistence: Persistence, scheduler: Scheduler) -> None:
    run_id = await scheduler.create()
    path = f"p{text}"
    value = ev.Values(parameters={f"k{text}\0": ev.Value(json=f"{text}\0")})
    events = [
        event(run_started=ev.RunStarted(inputs=value)),
        created(path),
        started(path, inputs=value, cache_key=text, cache_token=text),
        event(path, 1, attempt_started=ev.AttemptStarted(executor=text)),
        event(
            path, 1, attempt_launched=ev.AttemptLaunched(handle=text, node=f"{text}\0", log_uri=text, warnings=[text])
        ),
        event(
            path, 1, attempt_finished=ev.AttemptFinished(state=ev.ATTEMPT_FAILED, error=ev.Error(message=f"{text}\0"))
        ),
        finished(path, ev.TASK_SKIPPED, outputs=value, skip_reason=text, cached_from=text),
    ]
    answer = await scheduler.apply(run_id, 1, events)
    assert answer.outcome == rs.COMMITTED, answer.message
    listed = await persistence.query.ListTasks(rq.ListTasksRequest(run_id=run_id, path=path))
    (task,) = listed.tasks
    assert (task.path, task.inputs, task.outputs, task.skip_reason) == (path, value, value, text)
    (attempt,) = task.attempts
    assert (attempt.handle, attempt.node, attempt.log_uri, list(attempt.warnings)) == (text, f"{text}\0", text, [text])
    assert attempt.error.message == f"{text}\0"
    (snapshot,) = await scheduler.load(run_id)
    assert snapshot.inputs == value
    assert (snapshot.tasks[0].cache_key, snapshot.tasks[0].cache_token, snapshot.tasks[0].handle) == (text, text, text)
    read = [one async for one in persistence.query.Watch(rq.WatchRequest(run_id=run_id))]
    assert list(read[0].events)[1:] == events
