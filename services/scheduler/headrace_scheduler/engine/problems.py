"""What can stop a decision about one task: a problem (a reason of lifecycle.REASONS and a sentence for the user), or large
values whose content is needed first.
"""

from __future__ import annotations

from headrace_ir.references import ValueRef
from headrace_protos.v1 import events_pb2 as ev


class TaskProblem(Exception):  # noqa: N818 - "problem" is the project's word for what a user can cause
    """Raised while a task is prepared; it ends that task FAILED."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence

    def error(self) -> ev.Error:
        """As the task's error."""
        return ev.Error(reason=self.reason, message=self.sentence, failure_class=ev.USER)


class NeedsValues(Exception):  # noqa: N818 - read as a statement
    """Raised while a task is prepared: the execution at `path` has to fetch the contents of `refs` first."""

    def __init__(self, path: str, refs: tuple[ValueRef, ...]) -> None:
        super().__init__(path)
        self.path = path
        self.refs = refs
