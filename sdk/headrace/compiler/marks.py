"""The marks that channels leave in texts, lists and dicts: finding them, and putting the placeholders in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.dsl.channels import Channel


def marks_in(value: Any) -> dict[str, Channel]:
    """The channels marked in VALUE, by mark."""
    return {}


def filled(value: Any, marks: Mapping[str, str]) -> Any:
    """VALUE with each mark replaced by the text given for it."""
    return value
