"""What can be wrong with one task while it is decided about: a reason of lifecycle.REASONS and a sentence for the user."""

from __future__ import annotations

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
