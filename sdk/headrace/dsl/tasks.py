"""One use of a component in a pipeline, and the setters that authors call on it.

Made by calling a component; collected by `context`; read by the compiler.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.dsl.channels import Channel
    from headrace.dsl.components import Component
    from headrace.dsl.groups import Group
    from headrace.dsl.mistakes import Where


@dataclass(slots=True)
class Retry:
    """`set_retry`: durations are seconds as the IR writes them (`30s`)."""

    max_retry_count: int
    backoff_duration: str = ""
    backoff_factor: float = 0.0
    backoff_max_duration: str = ""


@dataclass(slots=True)
class TaskSettings:
    """What setters say. Values may be channels; "" and None: not said."""

    display_name: str = ""
    image: str | Channel = ""
    env: dict[str, Any] = field(default_factory=dict)
    cpu_request: Any = None
    cpu_limit: Any = None
    memory_request: Any = None
    memory_limit: Any = None
    accelerator_type: Any = None
    accelerator_limit: Any = None
    caching: bool | None = None  # None: the default, which is on, unless the environment says otherwise
    cache_key: str = ""
    retry: Retry | None = None
    ignore_upstream_failure: bool = False


class PipelineTask:
    """One task. `name`: unique in its pipeline, as in the IR (`print-op-2`). `inputs`: what the call gave: constants (in which
    marks of channels may stand) and channels. `platform_config`: what `headrace.kubernetes` sets, by platform:
    `{"kubernetes": {…}}` in the camelCase of KubernetesExecutorConfig, with channels where dynamic.
    """

    name: str
    component: Component
    inputs: dict[str, Any]
    settings: TaskSettings
    parent: Group
    after_: list[PipelineTask | Group]
    platform_config: dict[str, Any]
    where: Where
