"""Which attempt's log is meant, and what is said where there is none."""

from __future__ import annotations

import pytest

from headrace_apiserver.following import attempt_of, near_task
from headrace_protos.v1 import events_pb2, run_query_pb2
from headrace_servicekit.errors import Reason, ServiceError


def task(*numbers, state=events_pb2.TASK_RUNNING, **more):
    attempts = [run_query_pb2.Attempt(number=number) for number in numbers]
    return run_query_pb2.Task(path="train", state=state, attempts=attempts, **more)


@pytest.mark.parametrize(("asked", "got"), [(0, 3), (1, 1), (3, 3)])
def test_zero_is_the_last_attempt(asked, got):
    attempt = attempt_of(task(1, 3), asked, follow=False)
    assert attempt is not None
    assert attempt.number == got


@pytest.mark.parametrize("asked", [0, 4])
def test_a_follower_waits_for_an_attempt_that_may_still_come(asked):
    assert attempt_of(task(), asked, follow=True) is None


@pytest.mark.parametrize(
    ("found", "asked", "follow", "says"),
    [
        (task(1), 2, False, "Task train has no attempt 2; it has had 1"),
        (task(1, state=events_pb2.TASK_FAILED), 2, True, "Task train has no attempt 2"),
        (task(), 0, False, "Task train has no log: it has not run"),
        (task(state=events_pb2.TASK_SKIPPED), 0, True, "Task train has no log: it has not run"),
        (
            task(state=events_pb2.TASK_SUCCEEDED, cached=True, cached_from="r0/train"),
            0,
            True,
            "Task train was taken from the cache: its log is that of r0/train",
        ),
    ],
)
def test_no_log_is_a_sentence(found, asked, follow, says):
    with pytest.raises(ServiceError, match=says) as caught:
        attempt_of(found, asked, follow=follow)
    assert caught.value.reason == Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("prepar", "prepare"),
        ("PREPARE", "prepare"),
        ("pr", "prepare"),
        ("train", "for-loop-1[0]/train"),
        ("for-loop-1[0]/trian", "for-loop-1[0]/train"),
        ("nobody", ""),
        ("x" * 20_000, ""),
    ],
)
def test_which_task_is_meant_by_a_name_that_there_is_not(typed, meant):
    assert near_task(typed, ["prepare", "for-loop-1", "for-loop-1[0]", "for-loop-1[0]/train"]) == meant


def test_a_run_without_tasks_has_none_that_is_meant():
    assert near_task("train", []) == ""
