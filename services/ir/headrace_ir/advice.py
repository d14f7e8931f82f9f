"""What a pipeline says that is accepted but has no effect here: a sentence each, with its place.

None of it keeps a pipeline from running as it would without the setting; what would is a problem (`validating`).
Sentences are kept in the Plan, and shown by `headrace validate`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from headrace_ir.checks.placeholders import NAMED, PLATFORM, texts
from headrace_ir.checks.scopes import all_components, dependencies, scopes
from headrace_ir.conditions import ConditionProblem, parse
from headrace_ir.model import Executor, Source, Spec, Task
from headrace_ir.problems import nearest

MAX_ADVICE: Final = 100
_PLACEHOLDER: Final = re.compile(r"\{\{\$\.([A-Za-z_][^{}]{0,200})\}\}")
_CHANNEL: Final = re.compile(r"\{\{channel:task=[^{}]*;name=([^{};]*);[^{}]*\}\}")
_SIDES: Final = ("inputs.parameters", "inputs.artifacts", "outputs.parameters", "outputs.artifacts")
_KNOWN: Final = (*PLATFORM, "outputs.output_file", "outputMetadataUri")


def advice(spec: Spec) -> list[str]:
    """At most 100 sentences, each once, in the order of their places."""
    return sorted(dict.fromkeys(islice(_all(spec), 10 * MAX_ADVICE)))[:MAX_ADVICE]


def _all(spec: Spec) -> Iterator[str]:
    for name in spec.other_platforms:
        yield f"platforms.{name}: settings for this platform have no effect"
    for executor in spec.executors.values():
        yield from _executor(executor)
    for path in spec.ignored_platform_specs:
        yield f"{path}: has no effect; platform settings are read from the platform document only"
    for component in all_components(spec):
        configured = any(parameter.type == "TASK_CONFIG" for parameter in component.inputs.values())
        if component.passthroughs and not configured:
            place = f"{component.path}.taskConfigPassthroughs"
            yield f"{place}: has no effect, because the component has no input of type TASK_CONFIG"
    for scope in scopes(spec):
        for task in scope.dag.tasks.values():
            yield from _task(spec, task)


def _executor(executor: Executor) -> Iterator[str]:
    if executor.container is not None and executor.container.has_lifecycle:
        yield f"{executor.path}.container.lifecycle: a pre-cache check has no effect"
    elif executor.importer is not None and executor.kubernetes:
        place = f"platforms.kubernetes.deploymentSpec.executors.{executor.label}"
        yield f"{place}: has no effect, because an importer runs no container"
    if executor.container is not None:
        last = {name: index for index, (name, _) in enumerate(executor.container.env)}
        for index, (name, _) in enumerate(executor.container.env):
            if last[name] != index:
                yield f"{executor.path}.container.env[{index}]: has no effect, because '{name}' is set again after it"
    for place, value in texts(executor):
        yield from _placeholders(place, value)


def _task(spec: Spec, task: Task) -> Iterator[str]:
    if task.on_completion and not dependencies(spec, task):
        yield f"{task.path}.triggerPolicy.strategy: has no effect, because the task waits for no other"
    if task.parallelism and task.loop is None:
        yield f"{task.path}.iteratorPolicy: has no effect without an iterator"
    if task.cache_key and not task.cache:
        yield f"{task.path}.cachingOptions.cacheKey: has no effect without 'enableCache'"
    if "{{$" in task.cache_key:
        yield f"{task.path}.cachingOptions.cacheKey: placeholders in it are not filled, so every run has the same key"
    if task.condition and _is_repaired(task.condition):
        place = f"{task.path}.triggerPolicy.condition"
        yield f"{place}: holds a quote or line end that is not escaped; read as the SDK means it"
    for given in task.parameters.values():
        if given.source is Source.CONSTANT:
            yield from _placeholders(given.place, given.value)


def _is_repaired(condition: str) -> bool:
    try:
        return parse(condition).repaired
    except ConditionProblem:  # a problem already
        return False


def _meant(name: str) -> str | None:
    head, bracket, rest = name.partition("[")
    if not bracket:
        return nearest(name, _KNOWN)
    side = nearest(head, _SIDES)
    return None if side is None or side == head else f"{side}[{rest}"


def _placeholders(path: str, value: Any) -> Iterator[str]:
    """Placeholders that are none here: those of other platforms, and what the SDK fails to replace in f-strings."""
    if isinstance(value, str):
        for name in _CHANNEL.findall(value) if "{{channel:" in value else ():
            yield (
                f"{path}: the value of '{name}' is not there, because the SDK left its own mark ('{{{{channel:…}}}}') in the "
                "text; give the value as an input of the component"
            )
        for name in _PLACEHOLDER.findall(value) if "{{$." in value else ():
            if name not in _KNOWN and not NAMED.fullmatch(f"{{{{$.{name}}}}}"):
                meant = _meant(name)
                end = f"; did you mean '{{{{$.{meant}}}}}'?" if meant else ""
                yield f"{path}: '{{{{$.{name}}}}}' has no value here and stays as it is{end}"
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _placeholders(f"{path}.{key}", entry)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _placeholders(f"{path}[{index}]", entry)
