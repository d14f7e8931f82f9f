"""Kubernetes quantities such as `500m`, `2` and `1.5Gi`, as text that may be a placeholder."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_QUANTITY: Final = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([numkKMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,3})?")
_EXAMPLE: Final = "expected a quantity such as '500m', '2' or '1.5Gi'"
_MAX_LENGTH: Final = 60
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "K": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def quantity_problem(text: str, *, positive: bool = False) -> str | None:
    """Why a text is not a quantity of 0 or more (`positive`: above 0), or None."""
    if "{{$" in text:
        return None
    amount = quantity(text)
    if amount is None:
        return f"{_EXAMPLE}, got '{text[:_MAX_LENGTH]}'"
    if amount < 0:
        return f"must not be negative, got '{text}'"
    if positive and amount == 0:
        return f"must be above 0, got '{text}'"
    return None


def quantity(text: str) -> Fraction | None:
    """The amount that a text stands for; None where it is none, or a placeholder."""
    match = _QUANTITY.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        return None
    digits, suffix = match[1], match[2] or ""
    if suffix in _BINARY:
        return Fraction(digits) * (1 << 10 * _BINARY[suffix])
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    factor = Fraction(10**exponent) if exponent >= 0 else Fraction(1, 10**-exponent)
    return Fraction(digits) * factor
