"""What may be asked of a run, in each of its states and after what was asked before: one answer each, with a sentence."""

from __future__ import annotations

import pytest

from headrace_persistence.stores.asking import Standing, refusal, resume_refusal, standing
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs

RETRY = rs.DeliverRequest(retry=rs.Retry())
TERMINATE = rs.DeliverRequest(terminate=rs.Terminate())
WITH_EXITS = rs.DeliverRequest(terminate=rs.Terminate(run_exit_tasks=True))


def after(state: int, *waiting: rs.DeliverRequest, exit_tasks: bool = False) -> Standing:
    return standing(state, exit_tasks, [one.SerializeToString() for one in waiting])


@pytest.mark.parametrize(
    ("now", "request_", "sentence"),
    [
        (after(ev.RUN_PENDING), TERMINATE, ""),
        (after(ev.RUN_RUNNING), WITH_EXITS, ""),
        (
            after(ev.RUN_RUNNING),
            RETRY,
            "has not ended (RUNNING): only a run that FAILED or was CANCELED can be retried",
        ),
        (after(ev.RUN_SUCCEEDED), RETRY, "SUCCEEDED: there is nothing to retry"),
        (after(ev.RUN_SUCCEEDED), TERMINATE, "has ended (SUCCEEDED): nothing to terminate"),
        (after(ev.RUN_FAILED), RETRY, ""),
        # a second retry before the first is applied
        (after(ev.RUN_FAILED, RETRY), RETRY, "is being retried already: wait for its end"),
        # terminate right after retry ends what the retry opened
        (after(ev.RUN_FAILED, RETRY), TERMINATE, ""),
        (
            after(ev.RUN_FAILED, RETRY, TERMINATE),
            TERMINATE,
            "is being terminated already (CANCELING): wait for its end",
        ),
        # the reverse waits for the end
        (after(ev.RUN_RUNNING, TERMINATE), RETRY, "is being terminated (CANCELING): wait for its end, then retry it"),
        (after(ev.RUN_CANCELING), RETRY, "is being terminated (CANCELING): wait for its end, then retry it"),
        (
            after(ev.RUN_FAILED, RETRY, TERMINATE),
            RETRY,
            "is being terminated (CANCELING): wait for its end, then retry it",
        ),
        # a terminate that came too late changes nothing
        (after(ev.RUN_FAILED, TERMINATE), RETRY, ""),
        # exit tasks that hang are ended by a second terminate
        (after(ev.RUN_CANCELING, exit_tasks=True), TERMINATE, ""),
        (after(ev.RUN_RUNNING, WITH_EXITS), TERMINATE, ""),
        (
            after(ev.RUN_RUNNING, WITH_EXITS, TERMINATE),
            TERMINATE,
            "is being terminated already (CANCELING): wait for its end",
        ),
        (
            after(ev.RUN_CANCELING, exit_tasks=True),
            WITH_EXITS,
            "is being terminated already (CANCELING) and its exit tasks run: wait for its end, "
            "or terminate it without its exit tasks",
        ),
        (after(ev.RUN_CANCELING), WITH_EXITS, "is being terminated already (CANCELING): wait for its end"),
        (after(ev.RUN_RUNNING), rs.DeliverRequest(delete=rs.Delete()), ""),
    ],
)
def test_each_request_has_one_answer(now, request_, sentence):
    assert refusal(request_, "r1", now) == (sentence and f"Run r1 {sentence}")


def test_only_a_run_that_has_ended_is_resumed():
    for state in (ev.RUN_SUCCEEDED, ev.RUN_FAILED, ev.RUN_CANCELED):
        assert resume_refusal("r1", state) == ""
    assert resume_refusal("r1", ev.RUN_RUNNING) == (
        "Run r1 has not ended (RUNNING): wait for its end or terminate it, then resume it"
    )
