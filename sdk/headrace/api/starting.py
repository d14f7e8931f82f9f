"""From what a user gives to what a request carries: the pipeline, its arguments, the experiment. Used by runs and client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from headrace.api import arguments, sources
from headrace.api.artifacts import AsyncArtifact
from headrace.api.pipelines import AsyncPipeline, AsyncPipelineVersion
from headrace.errors import BadInput

if TYPE_CHECKING:
    from headrace.api.arguments import Declared

Submittable: TypeAlias = "sources.Source | AsyncPipeline | AsyncPipelineVersion"


@dataclass(slots=True)
class Start:
    """What runs, and with what."""

    source: sources.Source | None = None
    version_id: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)


async def start_of(
    pipeline: Submittable | None, given: Mapping[str, Any] | None, named: Mapping[str, Any], *, complete: bool = True
) -> Start:
    """GIVEN and NAMED are the pipeline's arguments, which are checked where it says here what it takes. COMPLETE: all that it
    must have has to be among them.
    """
    if pipeline is None and complete:
        raise BadInput(
            "give a pipeline first: a function decorated with @dsl.pipeline, a path, the file's bytes or a spec"
        )
    if given is not None and not isinstance(given, Mapping):
        raise BadInput(f"the pipeline's arguments are a mapping, not {type(given).__name__}; or give them by name")
    values = _together(given, named)
    if isinstance(pipeline, AsyncPipeline):
        pipeline = await pipeline.latest
    if isinstance(pipeline, AsyncPipelineVersion):
        return _start(None, pipeline.id, values, None)
    called, declared = "the pipeline", None
    if isinstance(pipeline, Mapping):
        declared = arguments.of_spec(pipeline)
    elif pipeline is not None and not isinstance(pipeline, str | bytes) and not hasattr(pipeline, "__fspath__"):
        package = sources.compiled(pipeline)
        called = f"pipeline '{package.spec.get('pipelineInfo', {}).get('name', '')}'"
        declared = arguments.of_spec(package.spec)
        pipeline = package
    if declared is not None:
        arguments.check(called, declared, values, complete=complete)
    return _start(pipeline, "", values, declared)


def _together(given: Mapping[str, Any] | None, named: Mapping[str, Any]) -> dict[str, Any]:
    twice = sorted(set(given or {}) & set(named))
    if twice:
        raise BadInput(f"{twice[0]!r} is given twice: among the parameters, and by name")
    return {**(given or {}), **named}


def _start(
    source: sources.Source | None, version_id: str, values: Mapping[str, Any], declared: Mapping[str, Declared] | None
) -> Start:
    """Artifacts go by their URI: those that are objects, and those that the pipeline declares as such."""
    start = Start(source, version_id)
    for name, value in values.items():
        if isinstance(value, AsyncArtifact):
            start.artifacts[name] = value.uri
        elif declared and declared[name].type == arguments.ARTIFACT:
            if not isinstance(value, str):
                raise BadInput(
                    f"'{name}' is an artifact; give its URI, or an artifact of another run, not {type(value).__name__}"
                )
            start.artifacts[name] = value
        else:
            start.parameters[name] = value
    return start
