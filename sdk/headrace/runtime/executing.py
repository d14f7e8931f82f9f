"""Calling a component's function once: arguments in, outputs out. Called by `command_line`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from headrace.dsl import artifacts
from headrace.runtime.arguments import Arguments
from headrace.runtime.foreign import tell_task_root
from headrace.runtime.results import executor_output
from headrace.runtime.task_input import TaskInput

PRIMARY = ("chief", "master", "workerpool0")  # types of the rank that writes, in CLUSTER_SPEC of a multi-rank job


def execute(function: Callable[..., Any], task: TaskInput) -> str | None:
    """Calls FUNCTION and writes what it put out; the file, or None on a rank that does not write."""
    artifacts.CONTAINER_TASK_ROOT = os.path.dirname(task.output_file)
    tell_task_root(artifacts.CONTAINER_TASK_ROOT)
    arguments = Arguments(function, task)
    returned = function(**arguments.by_name())
    if hasattr(returned, "__await__"):
        returned = _awaited(returned)
    document = executor_output(returned, arguments, task)
    return _write(task.output_file, document) if is_primary() else None


def _awaited(returned: Any) -> Any:
    import asyncio

    async def wait() -> Any:
        return await returned

    return asyncio.run(wait())


def is_primary() -> bool:
    """Whether this process writes the outputs: all ranks of a job would write to the same file."""
    try:
        spec = json.loads(os.environ.get("CLUSTER_SPEC") or "null")
        return spec is None or spec["task"]["type"] in PRIMARY
    except (ValueError, KeyError, TypeError):  # somebody else's variable
        return True


def _write(path: str, document: str) -> str:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(document)
    return path
