"""A pipeline spec as immutable values: what the IR says, with legacy forms already mapped, nothing resolved or judged.

Each part carries its IR path, the place that problems name. Built by `loading`, read by `validating`, `parameters` and
`plan`. Values (defaults, constants) are plain JSON values, exactly as written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from headrace_ir.own_settings import OwnSettings


class Missing(Enum):
    """The absence of a value, where None is a value."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared input or output parameter of a component. `type` is a ParameterTypeEnum name, or empty; where it is
    `open`, empty on purpose: whoever takes the value decides (`untyped_items`).
    """

    path: str
    type: str
    default: Any = MISSING
    optional: bool = False
    literals: tuple[Any, ...] = ()
    description: str = ""
    open: bool = False

    @property
    def required(self) -> bool:
        return not self.optional and self.default is MISSING


@dataclass(frozen=True, slots=True)
class ArtifactType:
    """The schema of an artifact: at most one of title, uri and instance text."""

    title: str = ""
    uri: str = ""
    instance: str = ""
    version: str = ""

    @property
    def given(self) -> bool:
        return bool(self.title or self.uri or self.instance)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A declared input or output artifact of a component."""

    path: str
    type: ArtifactType
    is_list: bool = False
    optional: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Source(Enum):
    """Where an input of a task comes from."""

    DAG_INPUT = "componentInputParameter"
    TASK_OUTPUT = "taskOutputParameter"
    CONSTANT = "runtimeValue"
    FINAL_STATUS = "taskFinalStatus"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Input:
    """The source of one input of a task. `name` is a DAG input or an output key; `task` the producer.

    `place` is the path of what is named: of the constant, the DAG input or the producer.
    """

    path: str
    source: Source
    place: str
    name: str = ""
    task: str = ""
    value: Any = None
    selector: str = ""


@dataclass(frozen=True, slots=True)
class Loop:
    """An iterator: items from text (`raw`), from an input parameter, or from an input artifact."""

    path: str
    item: str
    raw: str | None = None
    parameter: str = ""
    artifact: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """A retry policy; durations in seconds, None where the IR leaves them out."""

    path: str
    count: int
    duration: float | None = None
    factor: float | None = None
    max_duration: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One entry of a DAG; `name` is its key and so its identity."""

    path: str
    name: str
    display_name: str
    component: str
    parameters: Mapping[str, Input]
    artifacts: Mapping[str, Input]
    dependencies: tuple[str, ...]
    condition: str = ""
    on_completion: bool = False
    loop: Loop | None = None
    parallelism: int = 0
    retry: Retry | None = None
    caching_given: bool = False
    cache: bool = False
    cache_key: str = ""


@dataclass(frozen=True, slots=True)
class Selector:
    """An output of a task inside a DAG."""

    path: str
    task: str
    key: str


@dataclass(frozen=True, slots=True)
class Returned:
    """An output of a DAG: one selector, or several of which the first that has a value wins (`one_of`)."""

    path: str
    selectors: tuple[Selector, ...]
    one_of: bool = False


@dataclass(frozen=True, slots=True)
class Dag:
    """The tasks of a component, and where its outputs come from."""

    path: str
    tasks: Mapping[str, Task]
    parameters: Mapping[str, Returned]
    artifacts: Mapping[str, Returned]


@dataclass(frozen=True, slots=True)
class Passthrough:
    """A setting of the task that the component wants to see (`taskConfigPassthroughs`)."""

    field: str
    apply_to_task: bool


@dataclass(frozen=True, slots=True)
class Component:
    """The interface of a component, and what stands behind it: a DAG or an executor."""

    path: str
    name: str
    inputs: Mapping[str, Parameter]
    input_artifacts: Mapping[str, Artifact]
    outputs: Mapping[str, Parameter]
    output_artifacts: Mapping[str, Artifact]
    dag: Dag | None = None
    executor: str = ""
    passthroughs: tuple[Passthrough, ...] = ()


@dataclass(frozen=True, slots=True)
class Resources:
    """Quantities as text, each of which may be a placeholder; the deprecated numbers are already turned into text."""

    path: str
    cpu_request: str = ""
    cpu_limit: str = ""
    memory_request: str = ""
    memory_limit: str = ""
    accelerator_type: str = ""
    accelerator_count: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """A command in an image."""

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    resources: Resources
    has_lifecycle: bool = False


@dataclass(frozen=True, slots=True)
class Importer:
    """An artifact from outside: a constant URI, or the name of the input that holds it."""

    uri: Any
    uri_input: str
    type: ArtifactType
    metadata: Mapping[str, Any]
    reimport: bool = False
    to_workspace: bool = False


@dataclass(frozen=True, slots=True)
class Executor:
    """What runs a component; `kind` is container, importer, resolver, custom_job, or empty."""

    path: str
    label: str
    kind: str
    container: Container | None = None
    importer: Importer | None = None
    kubernetes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spec:
    """A whole pipeline: the spec, and what the platform document adds to it."""

    name: str
    display_name: str
    description: str
    schema_version: str
    sdk_version: str
    default_pipeline_root: str
    root: Component | None
    components: Mapping[str, Component]
    executors: Mapping[str, Executor]
    kubernetes: Mapping[str, Mapping[str, Any]]
    pipeline_config: Mapping[str, Any]
    """Read and in snake_case, for checks; `pipeline_config_document` is the same as written."""
    pipeline_config_document: Mapping[str, Any] = field(default_factory=dict)
    own: OwnSettings = field(default_factory=OwnSettings)
    other_platforms: tuple[str, ...] = ()
    ignored_platform_specs: tuple[str, ...] = ()
