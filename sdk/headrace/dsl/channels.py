"""Values that are known only when the pipeline runs: what tasks are given, conditions compare and pipelines return. Pure.

A channel in an f-string, a list or a dict leaves a mark in the text, from which the compiler finds it again.
Read by tasks, groups and the compiler. Operators and constructors' checks live here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.dsl.interface import ArtifactType, ParameterType

if TYPE_CHECKING:
    from headrace.dsl.groups import BranchesGroup, LoopGroup
    from headrace.dsl.tasks import PipelineTask


class Channel:
    """Base of all. `name`: of the output, of the pipeline's input, or of the loop item (`loop-item-param-1`).
    `producer`: the task whose output it is; None: an input of the pipeline, or a loop's item.
    """

    name: str
    producer: PipelineTask | None


class ParameterChannel(Channel):
    """A parameter: a task's output or a pipeline's input."""

    type: ParameterType


class ArtifactChannel(Channel):
    """An artifact, or a list of them: a task's output or a pipeline's input."""

    type: ArtifactType
    is_list: bool


class LoopItem(ParameterChannel):
    """What a ParallelFor hands to its body. `items`: the channel looped over (a ParameterChannel, LoopItem or LoopItemField), or
    None where the items are written out (`loop.items`).
    """

    loop: LoopGroup
    items: Channel | None


class LoopArtifact(ArtifactChannel):
    """What a ParallelFor over a list of artifacts hands to its body."""

    loop: LoopGroup
    items: ArtifactChannel


class LoopItemField(ParameterChannel):
    """`item.field`: one key of an item that is an object."""

    item: LoopItem
    field: str


class Collected(Channel):
    """`dsl.Collected(channel)`: that output of every iteration, outside the loop."""

    of: ParameterChannel | ArtifactChannel


class OneOf(Channel):
    """`dsl.OneOf(a, b)`: the output of whichever branch ran."""

    of: tuple[Channel, ...]
    branches: BranchesGroup


@dataclass(frozen=True, slots=True)
class Condition:
    """`left operator right`: what If and Elif take. At least one side is a channel. Never true or false itself."""

    left: Any
    operator: str  # == != < <= > >=
    right: Any
