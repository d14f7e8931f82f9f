"""Kubernetes quantities as numbers (`500m` → 0.5, `1.5Gi` → 1610612736) and a container's resources as Kubernetes writes
them. Called by launching.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from headrace_protos.v1 import plan_pb2
from headrace_scheduler.engine.problems import TaskProblem

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


def kubernetes_resources(resources: plan_pb2.Resources, fill: Callable[[str], str]) -> dict[str, dict[str, str]]:
    """Limits and requests, placeholders filled by FILL; an amount that becomes empty text is not asked for."""
    kind = fill(resources.accelerator_type)
    wanted = (
        ("limits", "cpu", "CPU limit", resources.cpu_limit),
        ("limits", "memory", "memory limit", resources.memory_limit),
        ("limits", kind, "number of accelerators", resources.accelerator_count if kind else ""),
        ("requests", "cpu", "CPU request", resources.cpu_request),
        ("requests", "memory", "memory request", resources.memory_request),
    )
    made: dict[str, dict[str, str]] = {}
    for group, name, what, template in wanted:
        text = fill(template).strip() if template else ""
        if not text:
            continue
        try:
            amount = quantity(text)
        except ValueError as problem:
            raise TaskProblem("Resources", f"the {what}: {problem}") from None
        if amount:
            made.setdefault(group, {})[name] = text
    return made
