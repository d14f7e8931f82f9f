"""The spec of one task in its DAG: what its inputs are bound to, whom it waits for, its policies. Pure.

Called by `compiling`; where values come from was found by `sources` and `crossing`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from headrace.compiler.conditions import trigger
from headrace.compiler.crossing import operands
from headrace.compiler.executors import dynamic_inputs
from headrace.compiler.sources import Source, Sources
from headrace.compiler.tree import Path, conditions
from headrace.compiler.uses import Uses
from headrace.dsl.channels import Channel
from headrace.dsl.groups import ConditionGroup, ExitHandlerGroup, Group, LoopGroup
from headrace.dsl.interface import ParameterInput, ParameterType
from headrace.dsl.marks import filled
from headrace.dsl.mistakes import mistake
from headrace.dsl.tasks import PipelineTask, Retry

Json = dict[str, Any]
Placeholders = dict[str, dict[str, str]]

ALWAYS = "ALL_UPSTREAM_TASKS_COMPLETED"


class Binder:
    """Binds what stands in one DAG. `dag`: the group whose DAG it is; `path`: the groups down to it."""

    def __init__(
        self, sources: Sources, path: Path, waits: Mapping[Group | PipelineTask, set[str]], caching: bool
    ) -> None:
        self._sources = sources
        self._path = path
        self._dag = path[-1]
        self._waits = waits
        self._caching = caching

    def task(self, task: PipelineTask, uses: Uses, component: str, ends: ExitHandlerGroup | None) -> Json:
        """The spec of TASK, which runs COMPONENT; ENDS: the exit handler whose exit task it is."""
        settings = task.settings
        spec = self._begin(task, component, settings.display_name)
        on = self._caching if settings.caching is None else settings.caching
        spec["cachingOptions"] = {"enableCache": True} if on else {}
        if settings.cache_key:
            spec["cachingOptions"]["cacheKey"] = settings.cache_key
        if settings.retry is not None:
            spec["retryPolicy"] = _retry(settings.retry)
        inputs = self._inputs(task, uses)
        if ends is not None or settings.ignore_upstream_failure:
            spec["triggerPolicy"] = {"strategy": ALWAYS}
        for name in _final_statuses(task):
            inputs[name] = {"taskFinalStatus": {"producerTask": self._ended(task, name, ends)}}
        _bind(spec, inputs)
        return spec

    def group(self, group: Group, component: str, handed: Mapping[str, Source]) -> Json:
        """The spec of the task that runs GROUP, which is handed HANDED."""
        spec = self._begin(group, component, group.display_name)
        inputs = {name: source.referred_from(self._dag) for name, source in handed.items() if source.home is not group}
        _bind(spec, inputs)
        if isinstance(group, LoopGroup):
            spec.update(self._iterator(group))
        elif isinstance(group, ConditionGroup):
            compared = {id(channel): self._handed_as(channel) for one in conditions(group) for channel in operands(one)}
            spec["triggerPolicy"] = {"condition": trigger(group, compared)}
        return spec

    def placeholders(self, uses: Uses) -> Placeholders:
        """What stands for the channels in the settings of a task, by setting and mark."""
        return {name: self._filling(marks) for name, marks in uses.settings.items()}

    def reference(self, channel: Channel) -> Json:
        """How a task here refers to CHANNEL."""
        return self._sources.of(channel, self._path).referred_from(self._dag)

    def _begin(self, place: Group | PipelineTask, component: str, display_name: str) -> Json:
        spec: Json = {"componentRef": {"name": component}, "taskInfo": {"name": display_name or place.name}}
        if waits := self._waits.get(place):
            spec["dependentTasks"] = sorted(waits)
        return spec

    def _inputs(self, task: PipelineTask, uses: Uses) -> Json:
        inputs: Json = {}
        given = [(name, value, uses.marked.get(name)) for name, value in task.inputs.items()]
        given += [
            (name, value, uses.settings[setting])
            for name, setting, value in dynamic_inputs(task.settings, uses.settings)
        ]
        for name, value, marks in given:
            if isinstance(value, Channel) and not marks:
                inputs[name] = self.reference(value)
            elif marks:
                inputs[name] = {"runtimeValue": {"constant": filled(value, self._filling(marks))}}
            elif value is not None:
                inputs[name] = {"runtimeValue": {"constant": value}}
        for marks in (*uses.marked.values(), *uses.settings.values()):
            for channel in marks.values():
                source = self._sources.of(channel, self._path)
                inputs[source.handed] = source.referred_from(self._dag)
        return inputs

    def _filling(self, marks: Mapping[str, Channel]) -> dict[str, str]:
        return {
            mark: f"{{{{$.inputs.parameters['{self._sources.of(channel, self._path).handed}']}}}}"
            for mark, channel in marks.items()
        }

    def _handed_as(self, channel: Channel) -> tuple[str, str]:
        source = self._sources.of(channel, self._path)
        return source.handed, source.definition.get("parameterType", "artifact")

    def _iterator(self, group: LoopGroup) -> Json:
        item = self._sources.of(group.item, (*self._path, group))
        kind = "artifact" if item.artifact else "parameter"
        over = item.over
        items = (
            {"raw": json.dumps(group.items, sort_keys=True)}
            if over is None
            else {f"input{kind.capitalize()}": over.handed}
        )
        spec: Json = {f"{kind}Iterator": {"itemInput": item.handed, "items": items}}
        if group.parallelism > 0:
            spec["iteratorPolicy"] = {"parallelismLimit": group.parallelism}
        return spec

    def _ended(self, task: PipelineTask, name: str, ends: ExitHandlerGroup | None) -> str:
        if ends is not None:
            return ends.name
        if not task.settings.ignore_upstream_failure:
            raise mistake(
                f"{name!r} of {task.name!r} is a PipelineTaskFinalStatus, but nothing says whose status; make {task.name!r} the "
                "exit task of a dsl.ExitHandler, or let it come after one task and call .ignore_upstream_failure().",
                task.where,
            )
        upstream = sorted(self._waits.get(task, ()))
        if len(upstream) != 1:
            raise mistake(
                f"{name!r} of {task.name!r} is the final status of one task before it in the same group, but "
                f"{f'there are {len(upstream)}: ' + ', '.join(upstream) if upstream else 'there is none'}; "
                "let it come .after() exactly one.",
                task.where,
            )
        return upstream[0]


def _final_statuses(task: PipelineTask) -> Iterator[str]:
    """The inputs of TASK that the platform gives the status of what ended before; a pipeline may hand on its own."""
    for name, one in task.component.interface.inputs.items():
        if isinstance(one, ParameterInput) and one.type is ParameterType.TASK_FINAL_STATUS and name not in task.inputs:
            yield name


def _bind(spec: Json, inputs: Mapping[str, Json]) -> None:
    """Write INPUTS into SPEC, artifacts and parameters apart."""
    for name, reference in inputs.items():
        artifact = "componentInputArtifact" in reference or "taskOutputArtifact" in reference
        spec.setdefault("inputs", {}).setdefault("artifacts" if artifact else "parameters", {})[name] = reference


def _retry(retry: Retry) -> Json:
    return {
        "maxRetryCount": retry.max_retry_count,
        "backoffDuration": retry.backoff_duration,
        "backoffFactor": retry.backoff_factor,
        "backoffMaxDuration": retry.backoff_max_duration,
    }
