"""A task that cannot be made into a Pod, whatever the cluster says. Raised by the pure half of this executor."""

from __future__ import annotations

from headrace_companion.results import Reason


class Refused(Exception):  # noqa: N818 - as NotHere is: it names what happened
    """The user's to change; the text is a sentence that says what."""

    def __init__(self, sentence: str, reason: Reason = Reason.LAUNCH) -> None:
        super().__init__(sentence)
        self.reason = reason
