"""What type checkers take `InputPath[str]` and `OutputPath[str]` for: the path, a text. Never imported when programs run.

There the two are the classes in `annotations`, with the same names.
"""

from __future__ import annotations

from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")


class InputPath(str, Generic[T]):
    """The path of an input's file."""

    def __new__(cls, type: Any = None) -> Self: ...  # type: ignore[empty-body]  # never executed


class OutputPath(str, Generic[T]):
    """The path to which the function writes an output."""

    def __new__(cls, type: Any = None) -> Self: ...  # type: ignore[empty-body]  # never executed
