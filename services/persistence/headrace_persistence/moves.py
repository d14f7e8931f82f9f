"""Transitions as numbers: what a row's state may become by a chain of events, for lifecycle.py's tables and SQL alike.

A move maps each state that a row may be in to the state that follows, 0 = forbidden. Several events of one row compose to one
move; packed into an integer (four bits for each source state) it guards the row's one UPDATE in SQL. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from headrace_protos import lifecycle
from headrace_protos.lifecycle import Transition

Move = tuple[int, ...]  # index: the state before

STATES: Final = 8  # every state's number is below; four bits each fit a bigint
STAY: Final[Move] = tuple(range(STATES))  # any state stays as it is; 0 (no row) stays forbidden


def _steps(transitions: Iterable[Transition]) -> dict[tuple[str, int], Move]:
    """The move of each (event, target), and of (event, 0) where the state before alone says what follows."""
    targets: dict[str, dict[int, set[int]]] = {}
    for source, event, target in transitions:
        targets.setdefault(event, {}).setdefault(source, set()).add(target)
    steps: dict[tuple[str, int], Move] = {}
    for event, by_source in targets.items():
        for wanted in {target for found in by_source.values() for target in found}:
            steps[event, wanted] = tuple(
                wanted if wanted in by_source.get(source, ()) else 0 for source in range(STATES)
            )
        if all(len(found) == 1 for found in by_source.values()):
            steps[event, 0] = tuple(next(iter(by_source.get(source, {0}))) for source in range(STATES))
    return steps


TASK_STEPS: Final = _steps(lifecycle.TASK_TRANSITIONS)
RUN_STEPS: Final = _steps(lifecycle.RUN_TRANSITIONS)
ATTEMPT_STEPS: Final = _steps(lifecycle.ATTEMPT_TRANSITIONS)
NOWHERE: Final[Move] = (0,) * STATES


@cache
def compose(first: Move, then: Move) -> Move:
    """FIRST, then THEN."""
    return tuple(then[middle] if middle else 0 for middle in first)


@cache
def packed(move: Move) -> int:
    """MOVE as the integer that SQL reads with `(moves >> (4 * state)) & 15`."""
    return sum(target << (4 * source) for source, target in enumerate(move))


@cache
def fixed(source: int, target: int) -> int:
    """The packed move from one known state to another."""
    return target << (4 * source)
