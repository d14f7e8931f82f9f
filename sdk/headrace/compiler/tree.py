"""Where everything stands in a pipeline's tree: the groups above each task and group, and what two of them share. Pure.

Read by the passes that carry values and dependencies across the boundaries of groups.
"""

from __future__ import annotations

from collections.abc import Iterator

from headrace.dsl.channels import Condition
from headrace.dsl.definition import PipelineDefinition
from headrace.dsl.groups import ConditionGroup, ExitHandlerGroup, Group
from headrace.dsl.tasks import PipelineTask

Path = tuple[Group, ...]


class Tree:
    """Paths are from the root to the group itself. `groups` is in the order of the user's lines, a parent before its children."""

    def __init__(self, definition: PipelineDefinition) -> None:
        self.root: Group = definition.root
        self.paths: dict[Group, Path] = {}
        self.groups: list[Group] = []
        self.exit_tasks: dict[PipelineTask, ExitHandlerGroup] = {}
        waiting: list[tuple[Group, Path]] = [(self.root, ())]
        while waiting:
            group, above = waiting.pop()
            path = (*above, group)
            self.paths[group] = path
            self.groups.append(group)
            if isinstance(group, ExitHandlerGroup):
                self.exit_tasks[group.exit_task] = group
            waiting.extend((child, path) for child in reversed(subgroups(group)))

    def path_of(self, place: Group | PipelineTask) -> Path:
        """The groups above PLACE, the outermost first, without itself."""
        if isinstance(place, PipelineTask):
            return self.paths[place.parent]
        return self.paths[place][:-1]

    def shared(self, left: Path, right: Path) -> int:
        """How many groups both paths begin with."""
        count = 0
        for one, other in zip(left, right, strict=False):
            if one is not other:
                break
            count += 1
        return count

    def tasks(self, group: Group) -> Iterator[PipelineTask]:
        """The tasks that stand in GROUP itself, those that end an exit handler left out."""
        return (child for child in group.children if isinstance(child, PipelineTask) and child not in self.exit_tasks)


def subgroups(group: Group) -> list[Group]:
    """The groups that stand in GROUP itself."""
    return [child for child in group.children if isinstance(child, Group)]


def conditions(group: Group) -> tuple[Condition, ...]:
    """What must hold (or, of `negated`, must not) before GROUP runs."""
    if not isinstance(group, ConditionGroup):
        return ()
    return (*group.negated, group.condition) if group.condition is not None else group.negated
