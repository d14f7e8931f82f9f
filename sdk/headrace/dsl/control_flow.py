"""What authors write in `with` statements: If, Elif, Else, ParallelFor, ExitHandler. Each is a group with a constructor.

The groups themselves are data in `groups`; naming and nesting are the context's.
"""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import Any, ClassVar, Self

from headrace.dsl import context
from headrace.dsl.channels import (
    ArtifactChannel,
    Channel,
    Collected,
    LoopArtifact,
    LoopItem,
    LoopItemField,
    OneOf,
    ParameterChannel,
)
from headrace.dsl.channels import (
    Condition as Comparison,
)
from headrace.dsl.checking import kind_of, mistaken_operand, own
from headrace.dsl.groups import BranchesGroup, ConditionGroup, ExitHandlerGroup, Group, LoopGroup, path_of
from headrace.dsl.interface import ParameterType
from headrace.dsl.mistakes import here, mistake
from headrace.dsl.tasks import PipelineTask
from headrace.dsl.values import NotJson, inside_of, plain, types_of


class _Block(Group):
    """What a `with` statement enters and leaves."""

    def __init__(self, name: str | None) -> None:
        if name is not None and not isinstance(name, str):
            raise mistake(f"The name of a {self.written} is a text, not {name!r}.")
        super().__init__(display_name=name or "", where=here())
        self.pipeline = context.needed(self.written, self.where)

    def __enter__(self) -> Any:
        self.pipeline.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pipeline.leave()


class _Branch(_Block, ConditionGroup):
    def __init__(self, condition: Comparison | None, name: str | None) -> None:
        super().__init__(name)
        self.negated = ()
        self.condition = condition

    def _checked(self, condition: Any) -> Comparison:
        if isinstance(condition, Comparison):
            for side in (condition.left, condition.right):
                if isinstance(side, Channel):
                    own(side, self.pipeline.marks)
                if why := mistaken_operand(side):
                    raise mistake(
                        f"{self.written} compares strs, ints, floats and bools, but {why}; compare it inside of a "
                        f"component."
                    )
            return condition
        if isinstance(condition, bool):
            raise mistake(
                f"{self.written} is given {condition}: the comparison was made while the pipeline was defined; "
                "compare an output of a task or an input of the pipeline."
            )
        if isinstance(condition, Channel):
            raise mistake(
                f"{self.written} is given {condition.described()} alone; compare it: `{self.written}(... == True)`."
            )
        raise mistake(f"{self.written} takes a comparison such as `task.output == 'yes'`, not {condition!r}.")


class If(_Branch):
    """Run what is inside only if the condition holds: `with dsl.If(task.output == "yes"):`."""

    def __init__(self, condition: Any, name: str | None = None) -> None:
        super().__init__(None, name)
        self.condition = self._checked(condition)


class Condition(If):
    """The old name of If."""

    written = "dsl.Condition"

    def __enter__(self) -> Any:
        warnings.warn("dsl.Condition is the old name of dsl.If.", DeprecationWarning, stacklevel=2)
        return super().__enter__()


class _FurtherBranch(_Branch):
    def __init__(self, condition: Comparison | None, name: str | None) -> None:
        super().__init__(condition, name)
        self._before = self._chain()
        branches = self._before.branches if isinstance(self._before, BranchesGroup) else [self._before]
        self.negated = tuple(each.condition for each in branches if each.condition is not None)

    def _chain(self) -> ConditionGroup | BranchesGroup:
        """What this continues: an If that stands alone so far, or branches without an Else."""
        before = self.pipeline.last_group()
        if isinstance(before, BranchesGroup) and before.has_else:
            raise mistake(f"{self.written} follows a dsl.Else, which ends the chain; begin a new one with dsl.If.")
        if isinstance(before, (If, BranchesGroup)):
            return before
        raise mistake(f"{self.written} follows no dsl.If or dsl.Elif at this level; begin with dsl.If.")

    def __enter__(self) -> Self:
        before = self._chain()
        branches = before if isinstance(before, BranchesGroup) else self.pipeline.branch_out(before, before.where)
        self.pipeline.enter_again(branches)
        self.pipeline.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pipeline.leave()
        self.pipeline.leave()


class Elif(_FurtherBranch):
    """Run what is inside only if the condition holds and none of the branches before does."""

    written = "dsl.Elif"

    def __init__(self, condition: Any, name: str | None = None) -> None:
        super().__init__(None, name)
        self.condition = self._checked(condition)


class Else(_FurtherBranch):
    """Run what is inside only if none of the conditions before holds."""

    written = "dsl.Else"

    def __init__(self, name: str | None = None) -> None:
        super().__init__(None, name)

    def __enter__(self) -> Self:
        super().__enter__()
        assert isinstance(self.parent, BranchesGroup)
        self.parent.has_else = True
        return self


class ParallelFor(_Block, LoopGroup):
    """Run what is inside once for each item: `with dsl.ParallelFor(items) as item:`. `parallelism`: how many at once; 0: all."""

    def __init__(self, items: Any, name: str | None = None, parallelism: int | None = None) -> None:
        super().__init__(name)
        limit = 0 if parallelism is None else parallelism
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise mistake(
                f"dsl.ParallelFor(parallelism=...) takes a whole number, 0 or more (0: all at once), not "
                f"{parallelism!r}."
            )
        self.parallelism = limit
        if isinstance(items, Channel):
            own(items, self.pipeline.marks)
            self.items = items
            self.item = self._item_of(items)
        else:
            self.items = self._written_out(items)
            (type_,) = types_of(self.items)
            number = self.pipeline.next_number()
            self.item = LoopItem(
                f"loop-item-param-{number}", type_, self, None, self.pipeline.marks, inside_of(self.items), True
            )

    def _item_of(self, items: Channel) -> LoopItem | LoopArtifact:
        if isinstance(items, ArtifactChannel) and items.is_list:
            return LoopArtifact(f"{items.name}-loop-item", items.type, self, items)
        if isinstance(items, (Collected, OneOf)):
            raise mistake(
                f"dsl.ParallelFor cannot loop over {items.described()}; give it to a component that returns it as "
                f"a list, and loop over that."
            )
        unknown = isinstance(items, (LoopItem, LoopItemField)) and not items.typed
        if isinstance(items, ParameterChannel) and (unknown or items.type is ParameterType.LIST):
            typed = items.type is ParameterType.LIST and bool(items.inside)
            type_ = items.inside[0] if typed else ParameterType.STRING
            return LoopItem(f"{items.name}-loop-item", type_, self, items, items.marks, items.inside[1:], typed)
        raise mistake(
            f"dsl.ParallelFor loops over a list, but {items.described()} is {kind_of(items)}; loop over a list."
        )

    def _written_out(self, items: Any) -> list[Any]:
        if not isinstance(items, (list, tuple)):
            raise mistake(
                f"dsl.ParallelFor loops over a list or an output that is one, not over {items!r}; write a list."
            )
        if not items:
            raise mistake("dsl.ParallelFor is given an empty list, so nothing inside would ever run; give it items.")
        try:
            plain_items: list[Any] = plain(items)
        except NotJson as wrong:
            raise mistake(
                f"dsl.ParallelFor is given {wrong}; items are strs, ints, floats, bools, lists and dicts."
            ) from None
        types = types_of(plain_items)
        if len(types) != 1 or None in plain_items:
            found = ", ".join(sorted({type(each).__name__ for each in plain_items}))
            raise mistake(f"dsl.ParallelFor is given items of different types ({found}); give it items of one type.")
        return plain_items

    def __enter__(self) -> Any:
        super().__enter__()
        return self.item


class ExitHandler(_Block, ExitHandlerGroup):
    """Run the exit task when everything inside has ended, however it ended."""

    written: ClassVar[str] = "dsl.ExitHandler"

    def __init__(self, exit_task: PipelineTask, name: str | None = None) -> None:
        super().__init__(name)
        if not isinstance(exit_task, PipelineTask):
            raise mistake(
                f"dsl.ExitHandler takes the exit task, which is made by calling a component before it, not "
                f"{exit_task.described() if isinstance(exit_task, Channel) else repr(exit_task)}."
            )
        self.exit_task = exit_task
        self._check(exit_task)
        exit_task.parent.children.remove(exit_task)
        exit_task.parent = self.pipeline.group
        exit_task.parent.children.append(exit_task)

    def _check(self, exit_task: PipelineTask) -> None:
        name = exit_task.name
        if exit_task.marks is not self.pipeline.marks:
            raise mistake(
                f"dsl.ExitHandler is given the task {name!r} of another pipeline; make its exit task in this one."
            )
        if exit_task.parent not in [*path_of(self.pipeline.group), self.pipeline.group]:
            raise mistake(
                f"dsl.ExitHandler is given the task {name!r}, which stands in a group that has ended; make it "
                f"just before."
            )
        if exit_task.after_:
            raise mistake(
                f"The exit task {name!r} is to run after {exit_task.after_[0].name!r}, but it runs after its "
                f"dsl.ExitHandler."
            )
        for channel in exit_task.channel_inputs:
            if channel.task_name:
                raise mistake(
                    f"The exit task {name!r} takes {channel.described()}, which may not be there when it runs; "
                    "give it constants, inputs of the pipeline or a PipelineTaskFinalStatus."
                )
        if exit_task in self.pipeline.exit_tasks:
            raise mistake(
                f"{name!r} is the exit task of another dsl.ExitHandler already; call its component once more for "
                f"this one."
            )
        self.pipeline.exit_tasks.add(exit_task)
