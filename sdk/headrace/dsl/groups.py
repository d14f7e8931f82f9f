"""The tree of a pipeline: groups that hold tasks and groups, in the order of the user's lines. Data; built by `context`.

Read by the compiler. What users write in a `with` statement (`control_flow`) are these groups with a constructor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from headrace.dsl.interface import ParameterType
from headrace.dsl.mistakes import NOWHERE, Where
from headrace.dsl.values import inside_of, types_of

if TYPE_CHECKING:
    from headrace.dsl.channels import Channel, Condition, LoopArtifact, LoopItem
    from headrace.dsl.tasks import PipelineTask


class Group:
    """One group. `name` as in the IR (`for-loop-1`, `condition-2`, `condition-branches-1`, `exit-handler-1`, `root`), given when
    it is entered; `display_name`: what the author called it, or "".
    """

    kind: ClassVar[str] = ""
    """What its name begins with."""
    written: ClassVar[str] = ""
    """What the author writes for it, for messages."""

    def __init__(self, name: str = "", display_name: str = "", where: Where = NOWHERE) -> None:
        self.name = name
        self.display_name = display_name
        self.parent: Group | None = None
        self.children: list[Group | PipelineTask] = []
        self.after: list[PipelineTask | Group] = []
        self.where = where


class RootGroup(Group):
    """The pipeline itself."""

    written = "the pipeline"


class BranchesGroup(Group):
    """Holds the conditions of one If/Elif/Else chain, and nothing else."""

    kind = "condition-branches"
    written = "dsl.If"

    def __init__(self, where: Where) -> None:
        super().__init__(where=where)
        self.has_else = False
        self.one_ofs = 0

    @property
    def branches(self) -> list[ConditionGroup]:
        """Its children, which are conditions all."""
        return [each for each in self.children if isinstance(each, ConditionGroup)]


class ConditionGroup(Group):
    """One branch. `negated`: the conditions of the branches before it, in their order, which must not hold;
    `condition`: its own, None for Else.
    """

    kind = "condition"
    written = "dsl.If"
    negated: tuple[Condition, ...]
    condition: Condition | None


class LoopGroup(Group):
    """One ParallelFor. `items`: the list as it is written out, or the channel; `parallelism` 0: no limit."""

    kind = "for-loop"
    written = "dsl.ParallelFor"
    items: list[Any] | Channel
    item: LoopItem | LoopArtifact
    parallelism: int

    def field_type(self, field: str) -> tuple[ParameterType | None, tuple[ParameterType, ...]]:
        """The type of one key of its items, and what is inside of that; None where it is not known."""
        if isinstance(self.items, list):
            values = [each[field] for each in self.items if isinstance(each, dict) and field in each]
            types = types_of(values)
            return (types.pop(), inside_of(values)) if len(types) == 1 else (None, ())
        inside = getattr(self.item, "inside", ())
        return (
            (inside[0], inside[1:])
            if inside and getattr(self.item, "type", None) is ParameterType.STRUCT
            else (None, ())
        )


class ExitHandlerGroup(Group):
    """One ExitHandler. The exit task is a child of the group that this one is in."""

    kind = "exit-handler"
    written = "dsl.ExitHandler"
    exit_task: PipelineTask


def path_of(place: Group | PipelineTask) -> list[Group]:
    """The groups above PLACE, the outermost first; a group's own is not among them."""
    path: list[Group] = []
    above = place.parent
    while above is not None:
        path.append(above)
        above = above.parent
    path.reverse()
    return path
