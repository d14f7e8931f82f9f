"""Retention policies: how long and how many of which kind, for everything, a namespace or one pipeline there.

Pure. Where nothing is said everything is kept. The more special policy counts, whole: a pipeline's, else its namespace's, else
the one for all. Read from rows by `keeping`, from HEADRACE_RETENTION by `declared`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

RUNS: Final = "runs"  # rows, events, logs, values: all of a run but the artifacts that it put out
ARCHIVED: Final = "archived"  # runs that are archived; where nothing is said of them, as runs
ARTIFACTS: Final = "artifacts"  # that nothing uses any more
LOGS: Final = "logs"  # of runs that stay
CACHE: Final = "cache"  # entries, not what they stand for
TRACES: Final = "traces"  # events of runs that stay, from which traces are made
PACKAGES: Final = "packages"  # what tasks installed, kept for the next ones (ADR 0014)
KINDS: Final = (RUNS, ARCHIVED, ARTIFACTS, LOGS, CACHE, TRACES, PACKAGES)
OF_NAMESPACES: Final = frozenset({PACKAGES})  # kinds that no pipeline has for itself
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
LONGEST_S: Final = 1e11  # three thousand years: longer ones are mistakes
LARGEST: Final = 2**53 - 1  # that JSON's numbers hold
Scope: TypeAlias = tuple[str, str]  # namespace, pipeline; "" = all of them


@dataclass(frozen=True, slots=True)
class Limits:
    """What goes: what is older than `max_age_s`, and of each pipeline what is beyond the newest `max_count`. None: no limit."""

    max_age_s: float | None = None
    max_count: int | None = None

    @property
    def keeps_all(self) -> bool:
        return self.max_age_s is None and self.max_count is None

    def why(self, age_us: int, newer: int) -> str:
        """Why something of that age with so many newer ones goes; "" = it stays."""
        if self.max_age_s is not None and age_us > self.max_age_s * 1e6:
            return f"older than {shown_age(self.max_age_s)}"
        if self.max_count is not None and newer >= self.max_count:
            return f"beyond the newest {self.max_count}"
        return ""


KEEP: Final = Limits()


@dataclass(frozen=True, slots=True)
class Policies:
    """All that is said."""

    said: Mapping[tuple[str, str, str], Limits] = field(default_factory=dict)  # by namespace, pipeline, kind

    def of(self, kind: str, namespace: str, pipeline: str) -> Limits:
        """What counts for a pipeline."""
        found = self._said(kind, namespace, pipeline)
        if found is None and kind == ARCHIVED:
            found = self._said(RUNS, namespace, pipeline)
        return found if found is not None else KEEP

    def _said(self, kind: str, namespace: str, pipeline: str) -> Limits | None:
        for scope in ((namespace, pipeline), (namespace, ""), ("", "")):
            if (limits := self.said.get((*scope, kind))) is not None:
                return limits
        return None

    def limits_any(self, *kinds: str) -> bool:
        """Whether anything of these kinds may go at all."""
        return any(not limits.keeps_all for (_, _, kind), limits in self.said.items() if kind in kinds)

    def over(self, special: Policies) -> Policies:
        """These, and where SPECIAL says something that instead."""
        return Policies({**self.said, **special.said})


class PolicyProblem(ValueError):  # noqa: N818 - read as a statement
    """What is wrong with a policy, for whoever wrote it."""


def checked(namespace: str, pipeline: str, kind: str, limits: Limits) -> None:
    """Raise PolicyProblem where it makes no sense."""
    if kind not in KINDS:
        raise PolicyProblem(f"'{kind[:40]}' is nothing that is kept; there are {', '.join(KINDS)}")
    if pipeline and not namespace:
        raise PolicyProblem(
            f"the policy for pipeline '{pipeline}' names no namespace; name it too, such as default/{pipeline}"
        )
    if pipeline and kind in OF_NAMESPACES:
        raise PolicyProblem(
            f"{kind} are shared by the pipelines of a namespace; set a policy for '{namespace}' instead"
        )
    if "\0" in namespace + pipeline:
        raise PolicyProblem("the name of a namespace or pipeline holds a NUL character; take it out")
    if limits.max_age_s is not None and not 0 <= limits.max_age_s <= LONGEST_S:
        raise PolicyProblem(
            f"max_age is {limits.max_age_s:g} seconds; give 0 to {LONGEST_S:g}, or none to keep things of any age"
        )
    if limits.max_count is not None and not 0 <= limits.max_count <= LARGEST:
        raise PolicyProblem(f"max_count is {limits.max_count}; give 0 to {LARGEST}, or none to keep any number")


def declared(text: str) -> Policies:
    """HEADRACE_RETENTION: words such as `runs=90d,1000 team-a:logs=14d team-a/training:artifacts=30d,20 team-b:runs=keep`."""
    said: dict[tuple[str, str, str], Limits] = {}
    for word in text.split():
        what, equals, value = word.rpartition("=")
        scope, _, kind = what.rpartition(":")
        namespace, _, pipeline = scope.partition("/")
        if not equals or not value:
            raise PolicyProblem(
                f"{word!r}: expected KIND=LIMITS or NAMESPACE/PIPELINE:KIND=LIMITS, such as team-a:runs=90d,1000"
            )
        try:
            limits = parsed_limits(value)
            checked(namespace, pipeline, kind, limits)
        except PolicyProblem as wrong:
            raise PolicyProblem(f"{word!r}: {wrong}") from None
        if (namespace, pipeline, kind) in said:
            raise PolicyProblem(f"{word!r}: {what} is given twice")
        said[namespace, pipeline, kind] = limits
    return Policies(said)


def parsed_limits(text: str) -> Limits:
    """`90d`, `1000`, both with a comma between, or `keep`."""
    if text == "keep":
        return KEEP
    age: float | None = None
    count: int | None = None
    for part in text.split(","):
        if part.isdecimal() and count is None:
            count = int(part)
        elif part[-1:] in UNITS and _is_number(part[:-1]) and age is None:
            age = float(part[:-1]) * UNITS[part[-1]]
        else:
            raise PolicyProblem(f"{part!r} is neither an age such as 90d nor a number; write `keep` for no limit")
    return Limits(age, count)


def shown_age(seconds: float) -> str:
    """90d, 36h, 5s: the largest unit that it is a whole number of."""
    for unit in ("w", "d", "h", "m"):
        number, rest = divmod(seconds, UNITS[unit])
        if number and not rest and (unit != "w" or number == 1):
            return f"{int(number)}{unit}"
    return f"{seconds:g}s"


def _is_number(text: str) -> bool:
    try:
        return 0 <= float(text) < LONGEST_S
    except ValueError:
        return False
