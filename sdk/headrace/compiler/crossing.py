"""Which values are handed across the boundary of each group, so that what stands inside can refer to them. Pure.

A group declares every value that is used inside it and made outside; its task in the DAG above binds it, so that DAG may need to
be handed it too. Where KFP's compiler hands a group more than it needs (what the groups above compare, the item of an outer loop)
ours does too, so that the IR is equal; it never hands a group what is not there to hand. Called by `compiling`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headrace.compiler.sources import SameName, Source, Sources
from headrace.compiler.tree import Path, Tree, conditions
from headrace.compiler.uses import Uses
from headrace.dsl.channels import Channel, Condition
from headrace.dsl.groups import ExitHandlerGroup, Group, LoopGroup
from headrace.dsl.tasks import PipelineTask

Handed = dict[Group, dict[str, Source]]


def operands(condition: Condition) -> Iterator[Channel]:
    """The channels that CONDITION compares."""
    for side in (condition.left, condition.right):
        if isinstance(side, Channel):
            yield side


def handed_to_groups(tree: Tree, sources: Sources, uses: Mapping[PipelineTask, Uses]) -> Handed:
    """What each group is handed, by the name of the input (a loop's own item is among it)."""
    crossing = _Crossing(tree, sources)
    for group in tree.groups:
        path = tree.paths[group]
        crossing.own(group, path)
        tasks = list(tree.tasks(group))
        for task in tasks:
            crossing.task(uses[task].channels, path)
        if tasks:
            crossing.conditions_above(path)
        if isinstance(group, ExitHandlerGroup):
            for channel in uses[group.exit_task].channels:
                crossing.need(sources.of(channel, path[:-1]), path[-2])
    return crossing.handed


class _Crossing:
    def __init__(self, tree: Tree, sources: Sources) -> None:
        self._tree = tree
        self._sources = sources
        self._walked: set[tuple[Source, Group]] = set()
        self._handed_on: set[tuple[Source, Group]] = set()
        self.handed: Handed = {group: {} for group in tree.groups}

    def own(self, group: Group, path: Path) -> None:
        """What GROUP itself needs: for its condition, or to loop over."""
        for condition in conditions(group):
            for channel in operands(condition):
                self.hand(self._sources.of(channel, path[:-1]), group)
        if isinstance(group, LoopGroup):
            item = self._sources.of(group.item, path)
            self.handed[group][item.handed] = item
            if item.over is not None:
                self.hand(item.over, group)

    def task(self, channels: list[Channel], path: Path) -> None:
        """What a task in the last group of PATH needs that uses CHANNELS."""
        for channel in channels:
            source = self._sources.of(channel, path)
            self.need(source, path[-1])
            self.walk(source, path)

    def conditions_above(self, path: Path) -> None:
        """What KFP hands down because of the conditions above tasks in the last group of PATH."""
        for depth, above in enumerate(path):
            for condition in conditions(above):
                for channel in operands(condition):
                    self.walk(self._sources.of(channel, path[:depth]), path)

    def hand(self, source: Source, group: Group) -> None:
        """GROUP is handed SOURCE, and so is every group above it that needs it for that."""
        above = group
        while True:
            held = self.handed[above].setdefault(source.handed, source)
            if not held.same(source):
                raise SameName(held, source)
            if (source, above) in self._handed_on:
                return
            self._handed_on.add((source, above))
            parent = above.parent
            if parent is None:
                return
            if source.field and source.over is not None:
                self.need(source.over, parent)
                return
            if parent is source.home:
                return
            above = parent

    def need(self, source: Source, dag: Group) -> None:
        """What stands in DAG refers to SOURCE."""
        while source.field and source.over is not None:
            source = source.over
        if dag is not source.home:
            self.hand(source, dag)

    def walk(self, source: Source, path: Path) -> None:
        """Hand what SOURCE is made of to the groups between its beginning and the end of PATH, as KFP does: an outer loop's item
        to the inner loops, until there is a more specific one.
        """
        if (source, path[-1]) in self._walked:
            return
        self._walked.add((source, path[-1]))
        chain = [source]
        while chain[-1].over is not None:
            chain.append(chain[-1].over)
        first = chain[-1]
        above = len(self._tree.paths[first.home])
        written_out = isinstance(first.home, LoopGroup) and not first.producer
        if written_out and (len(chain) == 1 or (len(chain) == 2 and source.field)):
            self._walk_up(source, path[above:])
            return
        if written_out:
            chain.pop()
        for group in path[above:]:
            above += 1
            if len(self._tree.paths[chain[-1].home]) < above:
                self.hand(chain[-1], group)
            if self._is_over(group, chain[-1]):
                chain.pop()
                if not chain:
                    return

    def _walk_up(self, source: Source, below: Path) -> None:
        """The same for an item of a list that is written out, and for its fields."""
        for group in reversed(below):
            self.hand(source, group)
            if source.field and self._is_over(group, source):
                return

    def _is_over(self, group: Group, source: Source) -> bool:
        """Whether GROUP loops over SOURCE, or over a field of its items."""
        if not isinstance(group, LoopGroup):
            return False
        item: Source | None = self._sources.of(group.item, self._tree.paths[group])
        while item is not None:
            if item is source:
                return True
            item = item.over
        return False
