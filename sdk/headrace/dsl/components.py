"""What can be called in a pipeline: Python, container, importer and graph components, and those loaded from YAML.

A component is an interface and an implementation; calling it in a pipeline makes a PipelineTask, elsewhere runs it with
`headrace.local`. Read by tasks and the compiler.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headrace.dsl.interface import Interface
from headrace.dsl.mistakes import NOWHERE, Where

if TYPE_CHECKING:
    from headrace.compiler.package import Package


@dataclass(frozen=True, slots=True)
class ContainerImplementation:
    """`container`: `{image, command, args, env}` of the IR's container executor, placeholders as the IR's text."""

    container: Mapping[str, Any]
    platform: Mapping[str, Any] = field(
        default_factory=dict
    )  # of a loaded component: its platform document's executor, by platform
    task_config_passthroughs: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ImporterImplementation:
    """`importer`: the IR's importer executor."""

    importer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GraphImplementation:
    """A whole pipeline, compiled; the compiler merges it into the one that uses it."""

    package: Package


Implementation = ContainerImplementation | ImporterImplementation | GraphImplementation


class Component:
    """`name` as in the IR (`print-op`)."""

    name: str
    description: str
    interface: Interface
    implementation: Implementation
    where: Where = NOWHERE
