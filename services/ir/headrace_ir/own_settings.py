"""`platforms.headrace` of the platform document: what this platform takes beyond the IR. Pure; called by reading.

`config.cacheMaxAge` is for all tasks of the pipeline, `deploymentSpec.executors.LABEL.cacheMaxAge` for those of one executor: how
old an entry of the cache may be that they take, as a duration (`3600s`). Other platforms ignore the section.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from headrace_ir.problems import Problem, hint
from headrace_ir.schema import describe

PLATFORM: Final = "headrace"
MAX_AGE: Final = "cacheMaxAge"
_DURATION: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)s")


@dataclass(frozen=True, slots=True)
class OwnSettings:
    """Seconds; `cache_max_age` 0: not said. By executor's label."""

    cache_max_age: float = 0.0
    cache_max_ages: Mapping[str, float] = field(default_factory=dict)


def read_own(tree: Mapping[str, Any], executors: Iterable[str], found: list[Problem]) -> OwnSettings:
    """The section as read by the message of a platform; what is wrong with it goes to FOUND."""
    place = f"platforms.{PLATFORM}"
    ages: dict[str, float] = {}
    labels = list(executors)
    settings: Mapping[str, Any] = tree.get("deployment_spec", {}).get("executors", {})
    for label, held in settings.items():
        at = f"{place}.deploymentSpec.executors.{label}"
        if label not in labels:
            found.append(Problem(at, f"unknown executor '{label}'; {hint(label, labels, kind='executors')}"))
        ages[label] = _age(held, at, found)
    return OwnSettings(_age(tree.get("config", {}), f"{place}.config", found), {k: v for k, v in ages.items() if v})


def _age(held: Mapping[str, Any], place: str, found: list[Problem]) -> float:
    found.extend(
        Problem(f"{place}.{name}", f"unknown field '{name}'; {hint(name, [MAX_AGE], kind='fields')}")
        for name in held
        if name != MAX_AGE
    )
    given = held.get(MAX_AGE)
    if given is None:
        return 0.0
    match = _DURATION.fullmatch(given) if isinstance(given, str) else None
    if match is None or float(match[1]) <= 0:
        found.append(Problem(f"{place}.{MAX_AGE}", f"expected a duration such as '3600s', got {describe(given)}"))
        return 0.0
    return float(match[1])
