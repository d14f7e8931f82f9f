"""What services count: ends of an append's events, lookups of the cache by why, routes of requests."""

from __future__ import annotations

import pytest

from builders.runevents import event, finished
from headrace_metrics.definitions import APPENDED_EVENTS, ATTEMPTS_ENDED, REFUSED_APPENDS, TASKS_ENDED
from headrace_persistence.measuring import count
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler.executors.kubernetes.following import Following
from headrace_scheduler.executors.port import AttemptId
from headrace_scheduler.measuring import outcome_of, waits_for


def value(counter, *labels):
    return counter.labels(*labels)._value.get()


def test_what_is_committed_is_counted_and_what_is_refused_is_not():
    failed = ev.AttemptFinished(state=ev.ATTEMPT_FAILED, error=ev.Error(failure_class=ev.OUT_OF_MEMORY))
    events = [
        event("a", 1, attempt_finished=failed),
        event("a", 2, attempt_finished=ev.AttemptFinished(state=ev.ATTEMPT_SUCCEEDED)),
        finished("a"),
        finished("b", ev.TASK_SKIPPED),
    ]
    labels = (
        (ATTEMPTS_ENDED, "FAILED", "OUT_OF_MEMORY"),
        (ATTEMPTS_ENDED, "SUCCEEDED", "NONE"),
        (TASKS_ENDED, "SUCCEEDED"),
        (TASKS_ENDED, "SKIPPED"),
        (APPENDED_EVENTS, "task_finished"),
        (REFUSED_APPENDS, "REFUSED_REVISION"),
    )
    before = [value(*one) for one in labels]
    request = rs.AppendRequest(runs=[rs.RunAppend(run_id="1", events=events), rs.RunAppend(run_id="2", events=events)])
    answers = [rs.RunAppended(outcome=rs.COMMITTED), rs.RunAppended(outcome=rs.REFUSED_REVISION)]
    count(request, answers)
    assert [value(*one) - was for one, was in zip(labels, before, strict=True)] == [1, 1, 1, 1, 2, 1]


@pytest.mark.parametrize(
    ("found", "why", "outcome"),
    [
        (True, "", ("hit", "found")),
        (False, "", ("miss", "unknown")),
        (False, "its entry is 3 d old, more than the 2 d that are allowed", ("miss", "too_old")),
        (True, "a refresh was asked for", ("miss", "refresh")),
        (True, "its results lack the output 'x'", ("miss", "unusable")),
    ],
)
def test_a_lookup_has_one_of_a_few_reasons(found, why, outcome):
    assert outcome_of(why, "a refresh was asked for", found=found) == outcome


@pytest.mark.parametrize(
    ("held", "resource", "counted"),
    [("", "", ""), ("no node has one", "accelerators", "accelerators"), ("why", "", "other"), ("why", "news", "other")],
)
def test_an_attempt_waits_for_one_of_a_few_things(held, resource, counted):
    of = Following(AttemptId("r", "a", 1), "default", held=held, held_for=resource)
    assert waits_for(of) == counted
