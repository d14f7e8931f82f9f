"""What a run came to, as one JSON object or as text. Pure. Called by the verbs of the CLI."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from headrace.cli.spending import critical_line
from headrace.cli.waterfall import waterfall
from headrace.display.texts import STATE_COLOURS, Style, between, clean, fit, many, one_line
from headrace.display.tree import drawn_in, fold_loops, forest
from headrace.models import Artifact, Failure, Run, Task, Trace, ValueReference, WaitingOn

EXIT = {"SUCCEEDED": 0, "FAILED": 1, "CANCELED": 3}
LOG_LINES = 20
LONGEST_TREE = 1_000  # lines
LONGEST_LOOP = 20  # iterations, above which a loop's are counted
MOST_FAILURES = 20  # tasks whose failure is told in full
MOST_ARTIFACTS = 100


def exit_code(state: str) -> int:
    """The command's exit code for a run that has ended in STATE; 0 for one that goes on."""
    return EXIT.get(state, 0)


def rfc3339(time: datetime | None) -> str | None:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if time else None


def as_object(run: Run, tasks: Sequence[Task], artifacts: Sequence[Artifact]) -> dict[str, Any]:
    """The object of `-o json`."""
    return {
        **run_object(run),
        "outputs": plain(run.outputs),
        "tasks": [_task_object(task) for task in tasks],
        "artifacts": [
            {"task": one.task, "name": one.name, "index": one.index, "type": one.type, "uri": one.uri}
            for one in artifacts
        ],
    }


def run_object(run: Run) -> dict[str, Any]:
    """A run by itself, as in a list."""
    return {
        "run_id": run.run_id,
        "trace_id": run.trace_id,
        "display_name": run.display_name,
        "state": run.state,
        "archived": run.archived,
        "pinned": run.pinned,
        "experiment_id": run.experiment_id,
        "resumed_from": run.resumed_from,
        "error": _error_object(run.error),
        "created_at": rfc3339(run.created_at),
        "finished_at": rfc3339(run.finished_at),
    }


def _task_object(task: Task) -> dict[str, Any]:
    return {
        "path": task.path,
        "state": task.state,
        "attempts": len(task.attempts),
        "cached": task.cached,
        "linked_from": task.linked_from,
        "waiting_on": _waiting_object(task.waiting_on),
        "error": _error_object(task.error),
        "created_at": rfc3339(task.created_at),
        "started_at": rfc3339(task.started_at),
        "finished_at": rfc3339(task.finished_at),
        "outputs": plain(task.outputs),
        "warnings": [warning for attempt in task.attempts[-1:] for warning in attempt.warnings],
    }


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values for JSON; of a large one where it lies."""
    return {name: asdict(value) if isinstance(value, ValueReference) else value for name, value in values.items()}


def _error_object(error: Failure | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "reason": error.reason,
        "message": error.message,
        "exit_code": error.exit_code,
        "log_tail": error.log_tail,
    }


def _waiting_object(on: WaitingOn | None) -> dict[str, Any] | None:
    if on is None:
        return None
    return {
        "cause": on.cause,
        "detail": on.detail,
        "tasks": list(on.tasks),
        "since": rfc3339(on.since),
        "until": rfc3339(on.until),
    }


def printed(value: object, output: str = "json") -> str:
    """JSON, or where OUTPUT says so YAML, that any terminal and any parser takes: ASCII, and never a NaN."""
    if output == "yaml":
        import yaml

        return yaml.safe_dump(value, sort_keys=False).rstrip("\n")
    return json.dumps(value, indent=2)


def as_text(
    run: Run,
    tasks: Sequence[Task],
    artifacts: Sequence[Artifact],
    trace: Trace,
    width: int,
    style: Style,
    now: datetime,
) -> list[str]:
    """Outputs, artifacts, the waterfall, and at the end the run itself."""
    lines: list[str] = []
    if run.outputs:
        lines += ["outputs", *(f"  {one_line(name)} = {_value(value, width)}" for name, value in run.outputs.items())]
    if artifacts:
        lines.append("artifacts")
        for one in artifacts[:MOST_ARTIFACTS]:
            kind = one.type.removeprefix("system.")
            lines.append(f"  {one_line(f'{one.task}/{one.name} ({kind})  {one.uri}')}")
        if (more := len(artifacts) - MOST_ARTIFACTS) > 0:
            lines.append(f"  {style.ellipsis} and {more:,} more; all: headrace runs get {run.run_id} --output json")
    lines += warning_lines(tasks)
    if picture := waterfall(trace, now, width - 2, style):
        lines += ["trace", *(f"  {line}" for line in (*picture, *critical_line(trace, 2 * width, style)))]
    lines.append(summary(run, tasks, style, now))
    return lines


def warning_lines(tasks: Sequence[Task]) -> list[str]:
    """What the last attempts were warned of: each sentence once, with its first task and how many more there are."""
    told: dict[str, list[str]] = {}
    for task in tasks:
        for warning in task.attempts[-1].warnings if task.attempts else ():
            told.setdefault(warning, []).append(task.path)
    lines = []
    for warning, paths in told.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        lines.append(one_line(f"  {paths[0]}{more}: {warning}"))
    return ["warnings", *lines] if lines else []


def _value(value: Any, width: int) -> str:
    text = str(value) if isinstance(value, str | ValueReference) else json.dumps(value, ensure_ascii=False)
    return fit(one_line(text), max(width * 3, 200))


def summary(run: Run, tasks: Sequence[Task], style: Style, now: datetime) -> str:
    """`run 0190…  SUCCEEDED  12.3s  9 tasks, 2 from the cache`."""
    cached = sum(task.cached for task in tasks)
    leaves = sum(task.kind in ("RUNTIME", "IMPORTER") for task in tasks)
    words = many(leaves, "task") + (f", {cached} from the cache" if cached else "")
    if run.resumed_from:
        linked = sum(bool(task.linked_from) and task.kind in ("RUNTIME", "IMPORTER") for task in tasks)
        words += f", {linked} linked from run {run.resumed_from}"
    took = between(run.created_at, run.finished_at or now)
    return f"run {run.run_id}  {style.paint(run.state, STATE_COLOURS.get(run.state, ''))}  {took}  {words}"


def failures(run: Run, tasks: Sequence[Task]) -> list[str]:
    """Each task that failed by itself, with its reason, message and the last lines of its log; of very many the first."""
    lines: list[str] = []
    failed = [(task, task.error) for task in tasks if task.state == "FAILED" and task.error is not None]
    own = [(task, error) for task, error in failed if error.reason != "TaskFailed"]
    for task, error in own[:MOST_FAILURES]:
        lines.append(one_line(f"{task.path} FAILED: {error.reason}: {error.message}"))
        tail = error.log_tail.splitlines()[-LOG_LINES:]
        lines += [f"  | {clean(line)}" for line in tail]
    if (more := len(own) - MOST_FAILURES) > 0:
        lines.append(f"and {more:,} more tasks FAILED; all: headrace runs get {run.run_id} --output json")
    if not lines and run.error is not None:
        lines.append(one_line(f"run {run.run_id} {run.state}: {run.error.reason}: {run.error.message}"))
    return lines


def shown(run: Run, tasks: Sequence[Task], width: int, style: Style, now: datetime) -> list[str]:
    """`runs get`: the run with its tasks as a tree, folded where there are very many, and its outputs."""
    roots = forest(tasks)
    folded = fold_loops(roots, LONGEST_LOOP)
    height = sum(node.size for node in roots) or 1
    lines = [summary(run, tasks, style, now)]
    if run.display_name:
        lines.append(f"  {one_line(run.display_name)}")
    lines += [f"  {line}" for line in drawn_in(roots, now, width - 2, min(height, LONGEST_TREE), style)]
    if folded or height > LONGEST_TREE:
        lines.append(f"  not every task is shown; all: headrace runs get {run.run_id} --output json")
    if run.outputs:
        lines += ["outputs", *(f"  {one_line(name)} = {_value(value, width)}" for name, value in run.outputs.items())]
    return lines


def listed(runs: Sequence[Run], style: Style, now: datetime) -> list[str]:
    """A line for each run."""
    return [
        f"{run.run_id}  {style.paint(f'{run.state:<9}', STATE_COLOURS.get(run.state, ''))}  "
        f"{(rfc3339(run.created_at) or '')[:19].replace('T', ' ')}  "
        f"{between(run.created_at, run.finished_at or now):>8}  {one_line(run.display_name)}"
        for run in runs
    ]
