"""Where a run's time went, as lines: its critical path in one line or step by step, and its time by cause. Pure; for
tracing.py.
"""

from __future__ import annotations

from datetime import datetime
from itertools import groupby

from headrace.display.texts import Style, cells, duration, fit, fit_end, many, one_line
from headrace.models import CriticalStep, Trace
from headrace_protos.lifecycle import parent_path

CAUSES = {  # as the platform names them → what people read
    "running": "user code",
    "platform": "the platform itself",
    "upstream": "tasks before it",
    "parallelism": "a loop's parallelism limit",
    "slots": "CPU, memory or accelerators",
    "backoff": "pauses before retries",
    "cache": "the same task elsewhere (cache)",
    "launch": "being launched",
    "expansion": "tasks being created",
    "scheduling": "a node",
    "image": "image or environment",
    "staging": "staging of inputs",
    "publishing": "publishing of outputs",
    "cpu": "CPU",
    "memory": "memory",
    "accelerators": "accelerators",
    "quota": "quota",
    "nodes": "a node that fits",
    "gate": "a scheduling gate",
    "pods": "room for Pods",
    "environment": "the environment",
    "volume": "volumes",
    "containers": "containers being made",
    "cluster": "the cluster's API",
    "folded": "steps that are not shown",
}
NOT_LOST = ("running", "upstream")  # user code, and what is another task's time


def critical_line(trace: Trace, width: int, style: Style) -> list[str]:
    """`critical path 9.0s: load → train`: the tasks in their order, without the groups that they are in."""
    steps = trace.critical_path
    known = {one.path for one in steps} | {one.path for one in trace.spans}
    groups = {parent_path(path) for path in known if path}
    paths = [path for path, _ in groupby(one.path for one in steps if one.path and one.path not in groups)]
    if not paths:
        return []
    way = (" → " if style.unicode else " -> ").join(one_line(path) for path in paths)
    took = duration((steps[-1].end - steps[0].start).total_seconds())
    return [fit(f"critical path {took}: {way}", width, style.ellipsis)]


def by_cause(trace: Trace, width: int, style: Style) -> list[str]:
    """A row for each cause: what lies on the critical path, and of all tasks together."""
    shown = [one for one in trace.times if one.total >= 0.0005 or one.critical >= 0.0005]
    if not shown:
        return []
    words = {one.cause: CAUSES.get(one.cause, one.cause) for one in shown}
    room = max(len("time"), *(cells(text) for text in words.values()))
    lines = [f"{'time':{room}}  critical path  all tasks"]
    for one in shown:
        colour = "" if one.cause in NOT_LOST else "yellow" if one.critical else "dim"
        name = style.paint(words[one.cause] + " " * (room - cells(words[one.cause])), colour)
        critical = duration(one.critical) if one.critical else "-"
        total = f"{duration(one.total) if one.tasks else '-':>9}"
        most = f"  {many(one.tasks, 'task')}, most {one_line(one.most_path)}" if one.tasks else ""
        lines.append(f"{name}  {critical:>13}  {total}" + fit(most, max(width - room - 26, 12), style.ellipsis))
    return lines


def steps(trace: Trace, width: int, style: Style) -> list[str]:
    """The critical path step by step: since the start, how long, its share, whose, and why."""
    if not trace.critical_path:
        return []
    begin, end = trace.critical_path[0].start, trace.critical_path[-1].end
    whole = max((end - begin).total_seconds(), 1e-6)
    names = [_named(one) for one in trace.critical_path]
    room = min(max(cells(name) for name in names), max(width // 3, 12))
    lines = [f"{'at':>8}  {'took':>7}  share  {'task':{room}}  what"]
    for one, name in zip(trace.critical_path, names, strict=True):
        took = (one.end - one.start).total_seconds()
        text = fit_end(name, room, style.ellipsis)
        what = CAUSES.get(one.cause, one.cause) + (f": {one_line(one.detail)}" if one.detail else "")
        line = f"{_since(begin, one.start):>8}  {duration(took):>7}  {took / whole:>5.1%}  "
        line += text + " " * (room - cells(text)) + "  "
        lines.append(line + style.paint(fit(what, max(width - room - 28, 12), style.ellipsis), _colour(one)))
    return lines


def _named(step: CriticalStep) -> str:
    if not step.path:
        return "the run" if step.cause != "folded" else ""
    return one_line(f"{step.path} #{step.attempt}" if step.attempt > 1 else step.path)


def _colour(step: CriticalStep) -> str:
    return "blue" if step.cause == "running" else "" if step.cause == "folded" else "yellow"


def _since(begin: datetime, at: datetime) -> str:
    return f"+{duration((at - begin).total_seconds())}"
