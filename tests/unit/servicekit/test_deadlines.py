"""Deadlines shrink inward: admission, the margin kept, defaults, and work that outlives its call."""

from __future__ import annotations

import contextvars

import pytest

from headrace_servicekit import deadlines
from headrace_servicekit.errors import Reason, ServiceError


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    monkeypatch.setattr(deadlines.time, "monotonic", lambda: 1000.0)


def in_a_call(seconds: float | None, work):
    def run():
        deadlines.admit(seconds, "/x/Y")
        return work()

    return contextvars.copy_context().run(run)


def test_too_little_time_is_refused():
    with pytest.raises(ServiceError, match="/x/Y: 99 ms left, at least 100 needed") as caught:
        in_a_call(0.099, lambda: None)
    assert caught.value.reason == Reason.DEADLINE


def test_an_inner_call_gets_twenty_milliseconds_less():
    assert in_a_call(1.0, lambda: deadlines.inner_timeout(None)) == pytest.approx(0.98)
    assert in_a_call(1.0, lambda: deadlines.inner_timeout(5.0)) == pytest.approx(0.98)
    assert in_a_call(1.0, lambda: deadlines.inner_timeout(0.5)) == 0.5


def test_without_a_deadline_the_default_holds():
    assert in_a_call(None, lambda: deadlines.inner_timeout(None)) == deadlines.DEFAULT
    assert in_a_call(None, lambda: deadlines.inner_timeout(None, default=None)) is None
    assert in_a_call(None, lambda: deadlines.inner_timeout(90.0)) == 90.0


def test_a_stream_inside_a_call_ends_with_it():
    assert in_a_call(2.0, lambda: deadlines.inner_timeout(None, default=None)) == pytest.approx(1.98)


def test_a_task_with_a_context_of_its_own_has_no_deadline():
    assert in_a_call(2.0, lambda: contextvars.Context().run(deadlines.remaining)) is None
    assert in_a_call(2.0, deadlines.remaining) == pytest.approx(2.0)
