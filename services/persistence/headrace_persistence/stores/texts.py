"""Texts of callers' on their way into text columns: Postgres stores no NUL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace_servicekit.errors import Reason, ServiceError


def checked(kind: str, row: Mapping[str, Any]) -> None:
    """Raise INVALID_INPUT where a text of ROW cannot be stored."""
    for name, value in row.items():
        if isinstance(value, str) and "\0" in value:
            raise ServiceError(Reason.INVALID_INPUT, f"{name} of the {kind} holds a NUL character; take it out")


def storable(text: str) -> str:
    """TEXT for a search: no text in the database has a NUL, so nothing is found by one."""
    return text.replace("\0", "\ufffd")
