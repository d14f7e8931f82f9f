"""Runs, tasks and artifacts as HTML for notebooks. Pure.

Whatever a user's code wrote is text here: escaped everywhere, and a page that it made is shown in a frame of its own, which
reaches neither the notebook nor its cookies.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from headrace.display.texts import between, counted
from headrace.display.tree import Node, describe, forest
from headrace.models import Artifact, Failure, Progress, Run, Task, ValueReference

SHOWN_WHOLE: Final = ("system.HTML", "system.Markdown")
ROWS: Final = 200  # tasks
MOST_TASKS: Final = 2_000  # that are asked for to show a run
CELL: Final = 2_000  # characters
COLOURS: Final = {
    "SUCCEEDED": "#2e7d32",
    "FAILED": "#c62828",
    "RUNNING": "#1565c0",
    "CANCELING": "#b26a00",
    "CANCELED": "#b26a00",
    "READY": "#00838f",
}
TABLE: Final = "border-collapse:collapse;font-variant-numeric:tabular-nums"
LEFT: Final = "text-align:left;padding:2px 10px;vertical-align:top"
HEIGHT: Final = 400  # pixels of a page's frame


def run(one: Run, found: Sequence[Task], url: str) -> str:
    """The run, its tasks, its outputs."""
    took = between(one.created_at, one.finished_at or datetime.now(UTC))
    named = escape(one.display_name or one.run_id)
    title = f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{named}</a>' if _is_web(url) else named
    head = f"<div><b>{title}</b> {_state(one.state)} {escape(took)} <code>{escape(one.run_id)}</code></div>"
    failed = _failure(one.error) if one.state == "FAILED" and one.error else ""
    return _box(head + failed + tasks(found, one.tasks_total) + _values("outputs", one.outputs))


def progress(seen: Progress, title: str) -> str:
    """A run while it goes on."""
    return _box(f"<div><b>{escape(title)}</b> {_state(seen.state)}</div>{tasks(list(seen.tasks.values()))}")


def tasks(found: Sequence[Task], total: int = 0) -> str:
    """A row for each, indented as they lie in each other; of very many the first, and how many more there are. TOTAL: of the run,
    where not all of them are here.
    """
    if not found:
        return ""
    rows: list[str] = []
    _rows(forest(found), 0, rows, datetime.now(UTC))
    states: dict[str, int] = {}
    for task in found:
        states[task.state] = states.get(task.state, 0) + 1
    all_, left = max(total, len(found)), max(total, len(found)) - len(rows)
    which = "all" if all_ == len(found) else f"of the first {len(found):,}"
    more = f"<div>… and {left:,} more; {which}: {escape(counted(states))}</div>" if left > 0 else ""
    head = "".join(f'<th style="{LEFT}">{name}</th>' for name in ("task", "state", "took", ""))
    return f'<table style="{TABLE}"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>{more}'


def _rows(nodes: Iterable[Node], depth: int, rows: list[str], now: datetime) -> None:
    stack = [(node, depth) for node in reversed(list(nodes))]
    while stack and len(rows) < ROWS:
        node, level = stack.pop()
        one = node.task
        name = one.path[len(one.parent) :].lstrip("/") if one.parent else one.path
        took = "" if one.cached or one.linked_from else between(one.started_at, one.finished_at or now)
        said = "" if one.state == "RUNNING" else _said(one, now)
        rows.append(
            f'<tr><td style="{LEFT};padding-left:{10 + 16 * min(level, 40)}px">{escape(name)}</td>'
            f'<td style="{LEFT}">{_state(one.state)}</td><td style="{LEFT}">{escape(took)}</td>'
            f'<td style="{LEFT}">{escape(_cut(said))}</td></tr>'
        )
        stack += [(child, level + 1) for child in reversed(node.children)]


def _said(one: Task, now: datetime) -> str:
    """What the CLI says of it, without state and time, which have columns of their own."""
    words = describe(one, now).split("  ")
    took = between(one.started_at, one.finished_at or now)
    return "  ".join(word for word in words if word not in (one.state.lower(), took))


def task(one: Task) -> str:
    """One task with its attempts."""
    took = between(one.started_at, one.finished_at or datetime.now(UTC))
    head = f"<div><b>{escape(one.path)}</b> {_state(one.state)} {escape(took)}</div>"
    attempts = [
        (f"#{a.number}", a.state, between(a.created_at, a.finished_at), a.error.message if a.error else "")
        for a in one.attempts
    ]
    table = _table(("attempt", "state", "took", "error"), attempts) if attempts else ""
    log = f"<pre>{escape(_cut(one.error.log_tail))}</pre>" if one.error and one.error.log_tail else ""
    return _box(head + table + log + _values("inputs", one.inputs) + _values("outputs", one.outputs))


def artifact(one: Artifact, content: str | None = None) -> str:
    """What it is, and what it shows: figures, a page in a frame, or text. CONTENT: of a page or text."""
    where = f"{one.task}/{one.name}" if one.task else one.name
    head = f"<div><b>{escape(where)}</b> {escape(one.type)} <code>{escape(one.uri)}</code></div>"
    if content is not None and one.type == "system.HTML":
        return _box(head + _frame(content))
    if content is not None:
        return _box(f'{head}<pre style="white-space:pre-wrap">{escape(content)}</pre>')
    return _box(head + _metadata(one.metadata))


def _frame(page: str) -> str:
    """Scripts run, in an origin of their own: without the notebook, its cookies, forms, pop-ups or the top window."""
    return (
        f'<iframe sandbox="allow-scripts" referrerpolicy="no-referrer" srcdoc="{escape(page)}" '
        f'style="width:100%;height:{HEIGHT}px;border:1px solid #ccc"></iframe>'
    )


def _metadata(metadata: Mapping[str, Any]) -> str:
    parts, rest = [], dict(metadata)
    matrix, curve = rest.pop("confusionMatrix", None), rest.pop("confidenceMetrics", None)
    if rest:
        parts.append(_values("", rest))
    if matrix is not None:
        parts.append(_confusion_matrix(matrix))
    if curve is not None:
        parts.append(_curve(curve))
    return "".join(parts)


def _confusion_matrix(told: Any) -> str:
    """Rows are what it was, columns what it was taken for."""
    try:
        told = told.get("struct", told)
        names = [str(one["displayName"]) for one in told["annotationSpecs"]]
        rows = [[name, *row["row"]] for name, row in zip(names, told["rows"], strict=True)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return _values("", {"confusionMatrix": told})
    return _table(["", *names], rows)


def _curve(told: Any) -> str:
    """The points of a ROC curve."""
    try:
        points = told.get("list", told) if isinstance(told, Mapping) else told
        keys = ("confidenceThreshold", "falsePositiveRate", "recall")
        rows = [[point.get(key, "") for key in keys] for point in points[:ROWS]]
    except (AttributeError, KeyError, TypeError):
        return _values("", {"confidenceMetrics": told})
    return _table(("threshold", "false positives", "true positives"), rows)


def _values(title: str, values: Mapping[str, Any]) -> str:
    if not values:
        return ""
    head = f"<div><b>{escape(title)}</b></div>" if title else ""
    return head + _table((), [(name, _plain(value)) for name, value in values.items()])


def _plain(value: Any) -> str:
    return str(value) if isinstance(value, str | ValueReference) else json.dumps(value, ensure_ascii=False, default=str)


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    top = "".join(f'<th style="{LEFT}">{escape(str(one))}</th>' for one in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="{LEFT}">{escape(_cut(str(one)))}</td>' for one in row) + "</tr>" for row in rows
    )
    return f'<table style="{TABLE}">{f"<thead><tr>{top}</tr></thead>" if top else ""}<tbody>{body}</tbody></table>'


def _failure(error: Failure) -> str:
    return f'<div style="color:{COLOURS["FAILED"]}">{escape(_cut(f"{error.reason}: {error.message}"))}</div>'


def _state(state: str) -> str:
    return f'<span style="color:{COLOURS.get(state, "#616161")}">{escape(state)}</span>'


def _cut(text: str) -> str:
    return text if len(text) <= CELL else f"{text[:CELL]}…"


def _is_web(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _box(content: str) -> str:
    return f'<div style="margin:4px 0">{content}</div>'
