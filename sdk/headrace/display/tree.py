"""The live tree of a run's tasks, as lines that fit a window. Pure; screen.py draws it.

A tree that is too high is folded: groups where nothing happens become one line with counts; of the rest, what failed and what
runs is shown first and the others are counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from headrace.display.texts import STATE_COLOURS, Style, between, counted, fit, one_line
from headrace.models import Task

PLAIN = Style()
ORDER = {"FAILED": 0, "RUNNING": 1, "READY": 2, "CANCELED": 3, "PENDING": 4, "SUCCEEDED": 5, "SKIPPED": 6}


@dataclass(slots=True)
class Node:
    """A task with its children, and what is below it."""

    task: Task
    children: list[Node] = field(default_factory=list)
    size: int = 1  # lines of the whole subtree
    counts: dict[str, int] = field(default_factory=dict)  # leaves by state
    rank: int = 9  # the most urgent state below
    left_out: dict[str, int] = field(default_factory=dict)  # iterations that are only counted, by state


def render(tasks: Iterable[Task], now: datetime, width: int, height: int, style: Style = PLAIN) -> list[str]:
    """At most HEIGHT lines of at most WIDTH columns."""
    return drawn_in(forest(tasks), now, width, height, style)


def drawn_in(roots: list[Node], now: datetime, width: int, height: int, style: Style = PLAIN) -> list[str]:
    """The same of a forest."""
    drawn: list[str] = []
    _lines(roots, max(height, 1), "", drawn, _Frame(now, max(width, 10), style))
    return drawn


def fold_loops(roots: list[Node], most: int) -> bool:
    """Loops of more than MOST iterations keep those that failed or run, at most that many; the others are only counted.
    Whether there was such a loop.
    """
    order = list(roots)
    for node in order:  # grows: from the roots down
        if len(node.children) > most and node.children[0].task.path.endswith("]"):  # a loop has iterations alone
            urgent = [child for child in node.children if child.rank <= ORDER["RUNNING"]]
            names = {one.task.path for one in sorted(urgent, key=lambda one: one.rank)[:most]}
            for one in node.children:
                if one.task.path not in names:
                    node.left_out[one.task.state] = node.left_out.get(one.task.state, 0) + 1
            node.children = [child for child in node.children if child.task.path in names]
        order += node.children
    for node in reversed(order):
        node.size = 1 + sum(child.size for child in node.children) + bool(node.left_out)
    return any(node.left_out for node in order)


def forest(tasks: Iterable[Task]) -> list[Node]:
    """The tree, measured from the leaves up."""
    nodes = {task.path: Node(task) for task in tasks}
    roots: list[Node] = []
    for node in nodes.values():
        above = nodes.get(node.task.parent) if node.task.parent else None
        (roots if above is None else above.children).append(node)
    pending = list(roots)
    order: list[Node] = []
    while pending:
        node = pending.pop()
        order.append(node)
        pending.extend(node.children)
    for node in reversed(order):
        _measure(node)
    return roots


def _measure(node: Node) -> None:
    node.rank = ORDER.get(node.task.state, 9)
    if not node.children:
        node.counts = {node.task.state: 1}
        return
    for child in node.children:
        node.size += child.size
        node.rank = min(node.rank, child.rank)
        for state, count in child.counts.items():
            node.counts[state] = node.counts.get(state, 0) + count


@dataclass(frozen=True, slots=True)
class _Frame:
    now: datetime
    width: int
    style: Style


def _lines(nodes: list[Node], room: int, indent: str, drawn: list[str], frame: _Frame) -> None:
    """Append at most ROOM lines for NODES."""
    given = _share(nodes, room)
    hidden: dict[str, int] = {}
    shown = [node for node in nodes if given.get(node.task.path)]
    for node in nodes:
        if not given.get(node.task.path):
            for state, count in node.counts.items():
                hidden[state] = hidden.get(state, 0) + count
    for node in shown:
        budget = given[node.task.path]
        inside = bool(node.children or node.left_out)
        drawn.append(_line(node, indent, budget < 2 and inside, frame))
        if inside and budget >= 2:
            counts = bool(node.left_out) and budget > 2
            if node.children:
                _lines(node.children, budget - 1 - counts, indent + "  ", drawn, frame)
            if counts or not node.children:
                drawn.append(_left_out(node, indent + "  ", frame))
    if hidden and len(shown) < room:
        text = f"{indent}{frame.style.ellipsis} and {counted(hidden)}"
        drawn.append(frame.style.paint(fit(text, frame.width, frame.style.ellipsis), "dim"))


def _left_out(node: Node, indent: str, frame: _Frame) -> str:
    count, more = sum(node.left_out.values()), " more" if node.children else ""
    text = f"{indent}{frame.style.ellipsis} {count:,}{more} iterations: {counted(node.left_out)}"
    return frame.style.paint(fit(text, frame.width, frame.style.ellipsis), "dim")


def _share(nodes: list[Node], room: int) -> dict[str, int]:
    """How many lines each node may use: all where they fit, else the urgent first, and a line for the rest."""
    if sum(node.size for node in nodes) <= room:
        return {node.task.path: node.size for node in nodes}
    quiet = {node.task.path: 1 if node.rank >= ORDER["CANCELED"] else node.size for node in nodes}
    if sum(quiet.values()) <= room:
        return quiet
    urgent = sorted(nodes, key=lambda node: node.rank)  # stable: in the order of creation within a rank
    seats = urgent if len(nodes) <= room else urgent[: max(room - 1, 0)]
    left = room - (0 if len(seats) == len(nodes) else 1) - len(seats)
    given: dict[str, int] = {}
    for node in seats:
        more = max(min(quiet[node.task.path] - 1, left), 0)
        given[node.task.path] = 1 + more
        left -= more
    return given


def _line(node: Node, indent: str, folded: bool, frame: _Frame) -> str:
    task, style = node.task, frame.style
    name = one_line(_name(task))
    start = f"{indent}{style.mark(task.state)} "
    text = fit(f"{start}{name}  {one_line(describe(task, frame.now, node if folded else None))}".rstrip(), frame.width)
    if not style.unicode:
        text = text.replace("…", "~")
    mark_at = len(indent)
    colour = STATE_COLOURS.get(task.state, "")
    return text[:mark_at] + style.paint(text[mark_at : mark_at + 1], colour) + text[mark_at + 1 :]


def _name(task: Task) -> str:
    """The last part of the path; an iteration is its index."""
    if task.parent and task.path.startswith(f"{task.parent}["):
        return task.path[len(task.parent) :]
    return task.path.rpartition("/")[2]


def describe(task: Task, now: datetime, folded: Node | None = None) -> str:
    """What is to be said about a task besides its name: state, attempt, what it waits for, time."""
    parts: list[str] = []
    if task.state not in ("RUNNING", "SUCCEEDED", "PENDING", "READY"):
        parts.append(task.state.lower())
    if task.cached:
        parts.append("cached")
    if task.linked_from:
        parts.append("linked")
    if task.iteration_count:
        parts.append(f"{task.iteration_count} iterations")
    if folded is not None:
        parts.append(counted(folded.counts))
    if len(task.attempts) > 1 or (task.attempts and task.attempts[-1].number > 1):
        parts.append(f"attempt {task.attempts[-1].number}")
    if task.error is not None and not task.cached:
        parts.append(f"{task.error.reason}: {task.error.message}")
    if task.skip_reason:
        parts.append(f"({task.skip_reason})")
    if not task.ended and task.waiting_on is not None:
        parts.append(waiting(task))
    elapsed = between(task.started_at, task.finished_at or (None if task.ended else now))
    if elapsed and not task.cached and not task.linked_from:
        parts.append(elapsed)
    return "  ".join(part for part in parts if part)


def waiting(task: Task) -> str:
    """What it waits for, as a sentence."""
    on = task.waiting_on
    if on is None:
        return ""
    if on.cause == "UPSTREAM" and on.tasks:
        named = ", ".join(on.tasks[:3]) + (f" and {len(on.tasks) - 3} more" if len(on.tasks) > 3 else "")
        return f"waits for {named}"
    return on.detail or f"waits: {on.cause.lower().replace('_', ' ')}"
