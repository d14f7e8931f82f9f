"""Kubernetes quantities as numbers: `500m` → 0.5, `1.5Gi` → 1610612736. Called by launching.py."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_QUANTITY: Final = re.compile(r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)(?:([numkKMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,2}))?")
_SUFFIX: Final = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    "K": Decimal(1000),
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}


def quantity(text: str) -> Decimal:
    """The number that TEXT means; ValueError with a sentence if it means none."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"'{text[:60]}' is no quantity; write one such as '500m', '2' or '1.5Gi'")
    number = Decimal(match[1])
    if match[2]:
        return number * _SUFFIX[match[2]]
    return number.scaleb(int(match[3])) if match[3] else number
