"""How old an entry may be that is used: what a lookup asks for, else its pipeline's or namespace's limit, else the one for all.
Pure; called by handlers.py and server.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from headrace_protos.v1 import cache_pb2

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhdw])")


@dataclass(frozen=True, slots=True)
class Ages:
    """Seconds; 0 = for ever. `named`: by namespace, or namespace/pipeline."""

    default: float = 0.0
    named: Mapping[str, float] = field(default_factory=dict)

    def limit(self, asked: float, of: cache_pb2.Ingredients) -> float:
        """What holds for one lookup: the most special that says something."""
        if asked > 0:
            return asked
        own = self.named.get(f"{of.namespace}/{of.pipeline_name}")
        return own if own is not None else self.named.get(of.namespace, self.default)


def parse_ages(text: str, default: float) -> Ages:
    """`team-a=7d team-a/training=12h team-b=0s`. Raises ValueError."""
    named: dict[str, float] = {}
    for one in text.split():
        name, _, given = one.rpartition("=")
        match = _AGE.fullmatch(given)
        if not name or match is None:
            raise ValueError(f"'{one}': write NAMESPACE=7d or NAMESPACE/PIPELINE=12h, with s, m, h, d or w")
        named[name] = float(match[1]) * UNITS[match[2]]
    return Ages(default, named)


def too_old(age_s: float, limit_s: float) -> str:
    """Why an entry is not used; "" = it may be."""
    if limit_s <= 0 or age_s <= limit_s:
        return ""
    return f"its entry is {_spoken(age_s)} old, more than the {_spoken(limit_s)} that are allowed"


def _spoken(seconds: float) -> str:
    unit = next((unit for unit in ("w", "d", "h", "m") if seconds >= 2 * UNITS[unit]), "s")
    return f"{seconds / UNITS[unit]:.3g} {unit}"
