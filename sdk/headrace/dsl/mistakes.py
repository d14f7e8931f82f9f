"""Where in the user's own files a line of a pipeline stands, and the error that names it. Called all over the DSL.

Every mistake is one sentence: what is wrong, with the names the user gave, and the way out; before it `file.py:12: `.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from types import FrameType
from typing import Final

from headrace.errors import BadInput

# As the interpreter names our files, links not followed; with the separator, or `headrace_pipelines` beside us were ours too.
OURS: Final = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")


@dataclass(frozen=True, slots=True)
class Where:
    """A line of the user's own code."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


NOWHERE: Final = Where("", 0)


class DefinitionError(BadInput, ValueError, TypeError):
    """A pipeline or component is written wrongly at `where`. Also a ValueError and a TypeError, as KFP's users expect."""

    def __init__(self, message: str, where: Where = NOWHERE) -> None:
        super().__init__(f"{where}: {message}" if where.file else message)
        self.where = where


def here() -> Where:
    """The innermost line on the stack that is not ours."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(OURS):
        frame = frame.f_back
    return Where(frame.f_code.co_filename, frame.f_lineno) if frame is not None else NOWHERE


def mistake(message: str, where: Where | None = None) -> DefinitionError:
    """The error for MESSAGE at WHERE; without it, at the user's line that is being executed. Raise what it gives."""
    return DefinitionError(message, where or here())
