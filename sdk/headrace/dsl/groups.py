"""The tree of a pipeline: groups that hold tasks and groups, in the order of the user's lines. Data; built by `context`.

Read by the compiler. The classes that users write in a `with` statement (If, Elif, Else, ParallelFor, ExitHandler) make these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.dsl.channels import Channel, Condition, LoopArtifact, LoopItem
    from headrace.dsl.mistakes import Where
    from headrace.dsl.tasks import PipelineTask


class Group:
    """One group. `name` as in the IR (`for-loop-1`, `condition-2`, `condition-branches-1`, `exit-handler-1`, `root`);
    `display_name`: what the author called it, or "".
    """

    name: str
    display_name: str
    parent: Group | None
    children: list[Group | PipelineTask]
    after: list[PipelineTask | Group]
    where: Where


class RootGroup(Group):
    """The pipeline itself."""


class BranchesGroup(Group):
    """Holds the conditions of one If/Elif/Else chain, and nothing else."""

    children: list[Group | PipelineTask]  # ConditionGroup
    has_else: bool


class ConditionGroup(Group):
    """One branch. `negated`: the conditions of the branches before it, in their order, which must not hold;
    `condition`: its own, None for Else.
    """

    negated: tuple[Condition, ...]
    condition: Condition | None


class LoopGroup(Group):
    """One ParallelFor. `items`: the list as it is written out, or the channel; `parallelism` 0: no limit."""

    items: list[Any] | Channel
    item: LoopItem | LoopArtifact
    parallelism: int


class ExitHandlerGroup(Group):
    """One ExitHandler. The exit task is a child of the group that this one is in."""

    exit_task: PipelineTask
