"""What ends a task with one sentence in place of a traceback. Raised all over the runtime, printed by `command_line`."""

from __future__ import annotations


class TaskMistake(Exception):  # noqa: N818 - read as a statement
    """The component cannot be run, or what it put out cannot be kept; the message says what to do."""
