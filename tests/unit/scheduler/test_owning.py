"""A companion speaks for the attempt that its Pod was made for, and for no other."""

from __future__ import annotations

import contextvars

import pytest

from headrace_scheduler.executors.port import AttemptId
from headrace_scheduler.owning import _check_pod
from headrace_servicekit import callers
from headrace_servicekit.callers import Caller
from headrace_servicekit.errors import Reason, ServiceError

ATTEMPT = AttemptId("run", "train", 1)
POD = Caller("headrace-task", "ns", pod_name="pod", pod_uid="uid-1", audience="headrace-attempts")


def checked(caller: Caller, handle: str) -> None:
    def check() -> None:
        callers.enter(caller)
        _check_pod(ATTEMPT, handle)

    contextvars.copy_context().run(check)


def test_its_own_pod_and_the_platform_itself_may():
    checked(POD, "ns/pod/uid-1")
    checked(callers.LOCAL, "ns/pod/uid-2")


@pytest.mark.parametrize(
    ("handle", "reason", "said"),
    [
        ("ns/pod/uid-2", Reason.FORBIDDEN, "Pod pod is not the one of train#1 of run run"),
        ("", Reason.UNAVAILABLE, "not recorded yet"),
    ],
)
def test_another_pod_may_not(handle, reason, said):
    with pytest.raises(ServiceError, match=said) as refused:
        checked(POD, handle)
    assert refused.value.reason == reason
