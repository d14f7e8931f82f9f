"""The longest chain of a trace: what each attempt can have waited for, back from the one that ended last. Pure; for waterfall.py.

A span does not say what its task depends on. What cannot be a dependency is known by its place: an iteration never waits for
another one of its loop, and what is in a group waits for the group's siblings only by way of the group's own start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from headrace.models import Span
from headrace_protos.lifecycle import parent_path


@dataclass(slots=True)
class _Place:
    """A task or group: when it began, when it ended, and the attempt in it that ended last."""

    began: datetime
    ended: datetime
    last: Span


@dataclass(slots=True)
class _Tree:
    places: dict[str, _Place] = field(default_factory=dict)
    siblings: dict[str, list[str]] = field(default_factory=dict)  # group → what is in it; of loops nothing
    attempts: dict[str, list[Span]] = field(default_factory=dict)


def longest_chain(spans: Sequence[Span], now: datetime) -> list[Span]:
    """Back from the attempt that ended last: each time to the one that ended last of those that it can have waited for."""
    tree = _tree(spans, now)
    if not tree.places:
        return []
    chain = [max((place.last for place in tree.places.values()), key=lambda one: (one.end or now, one.start))]
    while (before := _before(chain[-1], tree, now)) is not None and before not in chain:
        chain.append(before)
    return chain[::-1]


def _tree(spans: Sequence[Span], now: datetime) -> _Tree:
    tree = _Tree()
    for span in spans:
        if span.phase == "attempt":
            tree.attempts.setdefault(span.path, []).append(span)
            for path in _upwards(span.path):
                _add(tree, path, span, now)
    for span in spans:
        place = tree.places.get(span.path)
        if place is None or span.path in tree.attempts:
            continue
        if span.phase == "task":
            place.ended = max(place.ended, span.end or now)
        elif span.phase == "waiting" and span.end is not None:
            place.began = min(place.began, span.end)
    return tree


def _add(tree: _Tree, path: str, span: Span, now: datetime) -> None:
    """SPAN is in PATH."""
    end = span.end or now
    place = tree.places.get(path)
    if place is None:
        tree.places[path] = _Place(span.start, end, span)
        if not path.endswith("]"):
            tree.siblings.setdefault(parent_path(path), []).append(path)
        return
    place.began = min(place.began, span.start)
    if (end, span.start) > (place.ended, place.last.start):
        place.ended, place.last = end, span


def _upwards(path: str) -> Iterator[str]:
    """PATH and the groups that it is in, without the run."""
    while path:
        yield path
        path = parent_path(path)


def _before(span: Span, tree: _Tree, now: datetime) -> Span | None:
    """An attempt before it of the same task, else what ended last of a sibling of it, of its group and so on outwards."""
    earlier = [one for one in tree.attempts[span.path] if one.end is not None and one.end <= span.start and one != span]
    if earlier:
        return max(earlier, key=lambda one: one.end or now)
    for path in _upwards(span.path):
        if path.endswith("]"):
            continue
        began = span.start if path == span.path else tree.places[path].began
        ended = [
            place
            for sibling in tree.siblings[parent_path(path)]
            if sibling != path and (place := tree.places[sibling]).ended <= began
        ]
        if ended:
            return max(ended, key=lambda one: one.ended).last
    return None
