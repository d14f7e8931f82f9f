"""A pipeline as its author's function built it: what the compiler takes. Data.

Made by the decorator `pipeline` through `context`; one for each pipeline function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.dsl.channels import Channel
    from headrace.dsl.groups import RootGroup
    from headrace.dsl.interface import Interface
    from headrace.dsl.mistakes import Where
    from headrace.dsl.pipeline_config import PipelineConfig
    from headrace.dsl.tasks import PipelineTask


@dataclass(frozen=True, slots=True)
class PipelineDefinition:
    """`outputs`: what the function returned, by output name. `tasks`: every task of the tree by name, as created."""

    name: str
    interface: Interface
    root: RootGroup
    tasks: Mapping[str, PipelineTask]
    outputs: Mapping[str, Channel]
    where: Where
    display_name: str = ""
    description: str = ""
    pipeline_root: str = ""
    config: PipelineConfig | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
