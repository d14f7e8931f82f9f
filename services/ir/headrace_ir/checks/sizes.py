"""Limits: how many tasks, how deep, how long; each with what was counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from headrace_ir.checks.policies import parse_items
from headrace_ir.checks.scopes import Scope, scopes
from headrace_ir.limits import MAX_CACHE_KEY, MAX_ITERATIONS, MAX_NESTING, MAX_RUN_TASKS, MAX_TASK_NAME, MAX_TASKS
from headrace_ir.model import Loop, Spec, Task
from headrace_ir.problems import Problem

# Signs that paths of tasks (`for-loop-1[3]/train#2`) give a meaning to.
_RESERVED: Final = re.compile(r"[/\[\]#\x00-\x1f\x7f]")

_SHOWN: Final = 10**12


def check(spec: Spec) -> Iterator[Problem]:
    total = 0
    iterations: dict[str, int] = {}
    for scope in scopes(spec):
        total += len(scope.dag.tasks)
        for task in scope.dag.tasks.values():
            yield from _names(task)
            if task.loop is not None:
                iterations[task.path] = count = _iterations(task.loop)
                if count > MAX_ITERATIONS:
                    message = f"the list has {count:,} items; a loop can have {MAX_ITERATIONS:,} iterations"
                    yield Problem(f"{task.loop.path}.items.raw", message)
    if total > MAX_TASKS:
        yield Problem("components", f"the pipeline has {total:,} tasks; at most {MAX_TASKS:,} are possible in one spec")
    yield from _expansion(spec, iterations)


def _names(task: Task) -> Iterator[Problem]:
    if len(task.name) > MAX_TASK_NAME:
        yield Problem(task.path, f"the name has {len(task.name)} characters; at most {MAX_TASK_NAME} are possible")
    sign = _RESERVED.search(task.name)
    if sign is not None:
        yield Problem(
            task.path, f"the name of a task cannot hold {sign[0]!r}, which has a meaning in the paths of tasks"
        )
    if len(task.cache_key) > MAX_CACHE_KEY:
        path = f"{task.path}.cachingOptions.cacheKey"
        yield Problem(path, f"has {len(task.cache_key)} characters; at most {MAX_CACHE_KEY} are possible")


def _iterations(loop: Loop) -> int:
    """How many there are, as far as the spec tells: 1 where the list comes later."""
    items = parse_items(loop.raw) if loop.raw is not None else None
    return len(items) if isinstance(items, list) else 1


def _expansion(spec: Spec, iterations: dict[str, int]) -> Iterator[Problem]:
    """Depth and number of tasks from the root on. Components that contain themselves are another check's problem."""
    by_name = {scope.component.name: scope for scope in scopes(spec)}
    if spec.root is None or spec.root.dag is None:
        return
    sizes: dict[str, tuple[int, int]] = {}
    trail = {"root": _inner(by_name["root"], by_name)}
    while trail:
        name, inner = next(reversed(trail.items()))
        missing = next((one for one in inner if one not in sizes), None)
        if missing is None:
            sizes[name] = _size(by_name[name], sizes, iterations)
            trail.pop(name)
        elif missing in trail:
            return  # a cycle
        else:
            trail[missing] = _inner(by_name[missing], by_name)
    depth, count = sizes["root"]
    if depth > MAX_NESTING:
        yield Problem("root", f"DAGs are nested {depth:,} deep; at most {MAX_NESTING} are possible")
    if count > MAX_RUN_TASKS:
        shown = f"{count:,}" if count < _SHOWN else "10¹² or more"
        yield Problem("root", f"a run would have at least {shown} tasks; at most {MAX_RUN_TASKS:,} are possible")


def _inner(scope: Scope, by_name: dict[str, Scope]) -> list[str]:
    names = dict.fromkeys(task.component for task in scope.dag.tasks.values())
    return [name for name in names if name in by_name and name != "root"]


def _size(scope: Scope, sizes: dict[str, tuple[int, int]], iterations: dict[str, int]) -> tuple[int, int]:
    """Depth of the DAG and number of tasks in one execution of it."""
    depth, count = 0, 0
    for task in scope.dag.tasks.values():
        inner_depth, inner_count = sizes.get(task.component, (0, 0))
        depth = max(depth, inner_depth)
        count += 1 + (inner_count if task.loop is None else iterations[task.path] * (1 + inner_count))
    return depth + 1, min(count, _SHOWN)
