"""The pipeline under construction: which one it is, its names, its stack of groups. In a context variable, so that threads and
asyncio tasks can each build their own.

Called by components (`new_task`), by what authors write in `with` statements, and by the decorator of pipelines.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from headrace.dsl.checking import checked_arguments
from headrace.dsl.groups import BranchesGroup, Group, RootGroup
from headrace.dsl.marks import Marks
from headrace.dsl.mistakes import NOWHERE, Where, here, mistake
from headrace.dsl.naming import Taken, dashed
from headrace.dsl.tasks import PipelineTask

if TYPE_CHECKING:
    from headrace.dsl.components import Component
    from headrace.local.settings import LocalSettings


class Construction:
    """One pipeline while its function runs."""

    def __init__(self, name: str, where: Where = NOWHERE) -> None:
        self.name = name
        self.root = RootGroup("root", where=where)
        self.marks = Marks()
        self.tasks: dict[str, PipelineTask] = {}
        self.exit_tasks: set[PipelineTask] = set()
        self._stack: list[Group] = [self.root]
        self._groups = 0
        self._names = Taken()

    @property
    def group(self) -> Group:
        """The innermost group that is entered."""
        return self._stack[-1]

    def add_task(self, component: Component, arguments: Mapping[str, Any], where: Where) -> PipelineTask:
        """A task of COMPONENT in the innermost group."""
        inputs = checked_arguments(component, arguments, self.marks, where)
        name = self._names.take(dashed(component.name) or "task")
        task = PipelineTask(name, component, inputs, self.group, self.marks, where)
        self.tasks[task.name] = task
        self.group.children.append(task)
        return task

    def next_number(self) -> int:
        """Groups, and the items of loops that are written out, are counted together over the whole pipeline."""
        self._groups += 1
        return self._groups

    def enter(self, group: Group) -> None:
        """GROUP, which begins here, is the innermost one from now on."""
        if group.name:
            raise mistake(
                f"{group.written} {group.name!r} is entered a second time; write a new {group.written}(...) in the `with`."
            )
        group.name = f"{group.kind}-{self.next_number()}"
        group.parent = self.group
        self.group.children.append(group)
        self._stack.append(group)

    def enter_again(self, branches: BranchesGroup) -> None:
        """A further branch of BRANCHES begins here."""
        self._stack.append(branches)

    def leave(self) -> None:
        """The innermost group ends."""
        self._stack.pop()

    def last_group(self) -> Group | None:
        """The last group that ended in the innermost one; tasks may stand after it."""
        return next((each for each in reversed(self.group.children) if isinstance(each, Group)), None)

    def branch_out(self, first: Group, where: Where) -> BranchesGroup:
        """Wrap FIRST, a dsl.If that stands alone so far, in the branches that it turns out to begin.

        The branches take the number of the first, and the first the next one: so they count in the order in which they begin.
        """
        branches = BranchesGroup(where)
        number = first.name.rpartition("-")[2]
        branches.name = f"{branches.kind}-{number}"
        first.name = f"{first.kind}-{self.next_number()}"
        branches.parent, first.parent = self.group, branches
        siblings = self.group.children
        siblings[siblings.index(first)] = branches
        branches.children.append(first)
        return branches


_current: ContextVar[Construction | None] = ContextVar("headrace_pipeline_under_construction", default=None)


def current() -> Construction | None:
    """The pipeline that is being built here, if one is."""
    return _current.get()


def needed(what: str, where: Where | None = None) -> Construction:
    """The pipeline that is being built here; a mistake where there is none."""
    construction = _current.get()
    if construction is None:
        raise mistake(
            f"{what} is used outside of a pipeline; use it in a function that is decorated with @dsl.pipeline.", where
        )
    return construction


@contextmanager
def building(construction: Construction) -> Iterator[Construction]:
    """CONSTRUCTION is the one that is being built, until the end of the block."""
    token = _current.set(construction)
    try:
        yield construction
    finally:
        _current.reset(token)


def call(component: Component, arguments: Mapping[str, Any]) -> PipelineTask:
    """What calling COMPONENT means on the user's line."""
    return new_task(component, arguments, here())


def new_task(component: Component, arguments: Mapping[str, Any], where: Where) -> PipelineTask:
    """The task that calling COMPONENT with ARGUMENTS at WHERE makes in the pipeline that is being built."""
    construction = _current.get()
    if construction is None and (settings := _local_settings()) is not None:
        # By its name: what defines pipelines needs no gRPC, what runs them does.
        local = importlib.import_module("headrace.local.calling")
        return cast(
            "PipelineTask", local.call(component, arguments, settings)
        )  # it has what a task has: output, outputs
    if construction is None:
        raise mistake(
            f"{component.name!r} is called outside of a pipeline; call it in a function that is decorated with @dsl.pipeline, "
            "or call headrace.local.init() first, to run it here and now.",
            where,
        )
    return construction.add_task(component, arguments, where)


def _local_settings() -> LocalSettings | None:
    """What `local.init` said; None where nobody called it, which costs no import."""
    settings = sys.modules.get("headrace.local.settings")
    return settings.current() if settings is not None else None
