"""Kubernetes quantities such as `500m`, `2` and `1.5Gi`, as text that may be a placeholder."""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[numkKMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?")
_EXAMPLE = "expected a quantity such as '500m', '2' or '1.5Gi'"


def quantity_problem(text: str) -> str | None:
    """Why a text is not a quantity above or equal 0, or None; placeholders are judged when they have a value."""
    if "{{$" in text:
        return None
    if not _QUANTITY.fullmatch(text):
        return f"{_EXAMPLE}, got '{text[:60]}'"
    if text.startswith("-"):
        return f"must not be negative, got '{text[:60]}'"
    return None
