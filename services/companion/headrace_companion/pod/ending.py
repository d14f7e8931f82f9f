"""What the end of a command means: the shim's words as the failure that a user reads. Pure."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Sequence

from headrace_companion.pod.command import Ended
from headrace_companion.results import Failure, Reason


def failure_of(ended: Ended, argv: Sequence[str], timeout_s: float) -> Failure | None:
    """None where the command succeeded: whoever told it to end, it ended well."""
    if ended.failed:
        return _not_started(ended, argv)
    if ended.timed_out:
        return Failure(Reason.TIMED_OUT, f"ran longer than its time-out of {timeout_s:g} s")
    if ended.code == 0 and not ended.signal:
        return None
    if ended.stopped:
        return Failure(Reason.CANCELED, "canceled")
    if ended.oom:
        return Failure(Reason.OUT_OF_MEMORY, "was killed for memory: it needs a larger memory limit")
    if ended.terminated:
        return Failure(Reason.LOST, "its Pod was told to end before the task had ended", temporary=True)
    if ended.signal:
        return Failure(Reason.USER_ERROR, f"was ended by {_name(ended.signal)}")
    return Failure(Reason.USER_ERROR, f"exit code {ended.code}")


def _not_started(ended: Ended, argv: Sequence[str]) -> Failure:
    program = argv[0] if argv else ""
    said = os.strerror(ended.errno)
    if ended.failed == "folder":
        return Failure(Reason.INTERNAL, f"the task's working folder cannot be entered: {said}")
    if ended.failed == "report":
        return Failure(Reason.USER_ERROR, "the task's end cannot be read: its code wrote over /headrace/control")
    if ended.failed != "program":
        return Failure(Reason.INTERNAL, f"the task's process could not be started: {said}", temporary=True)
    known = {
        errno.ENOENT: f"there is no program '{program}' in the image: choose another base_image, or correct the command",
        errno.EACCES: f"'{program}' may not be executed in the image by its user",
        errno.ENOEXEC: f"'{program}' is no program for this node's processor, nor a script with a first line #!",
        errno.E2BIG: "the command with its environment is longer than Linux takes: let the task take the value as an artifact",
    }
    return Failure(Reason.USER_ERROR, known.get(ended.errno, f"'{program}' cannot be executed: {said}"))


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
