"""Random pipelines, right and wrong: each is built, with names that are unique, to what the platform accepts, or is a
DefinitionError that names this file; and many can be built side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from threading import Barrier
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from builders.wrong_pipelines import choose, count, fit, merge, prepare, say, total
from headrace import dsl
from headrace.dsl.definition import PipelineDefinition
from headrace.dsl.groups import Group
from headrace.dsl.mistakes import DefinitionError
from headrace.dsl.pipelines import GraphComponent, define
from headrace.dsl.tasks import PipelineTask
from headrace_ir.reading import read_package
from headrace_ir.validating import validate

CONSTANTS: list[Any] = [
    "a",
    "",
    1,
    -1,
    2.5,
    True,
    None,
    [1, 2],
    ["a", 1],
    [],
    {"key": [1]},
    {1: 2},
    float("nan"),
    {3},
    b"x",
]
CALLS: list[tuple[Any, list[str]]] = [
    (say, ["text"]),
    (count, ["number"]),
    (total, ["numbers"]),
    (prepare, []),
    (fit, ["data"]),
    (merge, ["datasets"]),
    (choose, ["options"]),
]
KINDS = ["if", "elif", "else", "branches", "for", "exit"]
SURE = {"text": "a", "number": 1, "numbers": [1, 2], "options": {"a": 1}}  # a constant that each input takes
SETTERS = [
    "set_cpu_limit",
    "set_memory_limit",
    "set_accelerator_type",
    "set_env_variable",
    "set_retry",
    "set_container_image",
]

values = some.tuples(
    some.sampled_from(["constant", "earlier", "text", "list", "collected", "one_of", "key"]), some.integers(0, 200)
)
steps = some.recursive(
    some.one_of(
        some.tuples(some.just("call"), some.integers(0, len(CALLS) - 1), values),
        some.tuples(some.just("after"), some.integers(0, 200), some.integers(0, 200)),
        some.tuples(some.just("set"), some.sampled_from(SETTERS), values),
        some.tuples(some.just("ignore"), some.integers(0, 200), some.none()),
    ),
    lambda inner: some.tuples(some.sampled_from(KINDS), values, some.lists(inner, max_size=4)),
    max_leaves=12,
)


class Author:
    """Writes a pipeline by a list of steps. `channels`: those at hand; `hidden`: those in groups that have ended; `tasks` and
    `groups`: all. TOLERANT: a step that is a mistake is left out, as by an author who catches the error.
    """

    def __init__(self, inputs: list[Any], tolerant: bool) -> None:
        self.tolerant = tolerant
        self.text = inputs[0]
        self.channels: list[Any] = list(inputs)
        self.hidden: list[Any] = []
        self.tasks: list[PipelineTask] = []
        self.groups: list[Any] = []

    def write(self, plan: list[Any]) -> None:
        for step in plan:
            try:
                self.step(*step)
            except DefinitionError:
                if not self.tolerant:
                    raise

    def step(self, kind: str, *rest: Any) -> None:
        if kind == "branches":
            self.in_block("if", *rest)
            self.in_block("elif", *rest)
            self.in_block("else", *rest)
        elif kind in KINDS:
            self.in_block(kind, *rest)
        else:
            getattr(self, kind)(*rest)

    def in_block(self, kind: str, value: Any, inside: list[Any]) -> None:
        with self.entered(kind, value) as entered:
            at_hand = len(self.channels)
            if kind == "for":
                self.channels.append(entered)
            self.write(inside)
            if self.tolerant:
                say(text="last")
        self.groups.append(entered)
        self.hidden += self.channels[at_hand:]
        del self.channels[at_hand:]

    def entered(self, kind: str, value: Any) -> AbstractContextManager[Any]:
        try:
            return self.block(kind, value)
        except DefinitionError:
            if not self.tolerant or kind not in ("if", "elif", "for"):
                raise
        if kind == "for":
            return dsl.ParallelFor([1, 2])
        return (dsl.If if kind == "if" else dsl.Elif)(self.text == "a")

    def block(self, kind: str, value: Any) -> AbstractContextManager[Any]:
        if kind in ("if", "elif"):
            return (dsl.If if kind == "if" else dsl.Elif)(self.value(value) == "a")
        if kind == "else":
            return dsl.Else()
        if kind == "for":
            return dsl.ParallelFor(self.value(value))
        return dsl.ExitHandler(self.picked(self.tasks, value[1])) if self.tasks else nullcontext()

    def value(self, value: tuple[str, int]) -> Any:
        kind, number = value
        if kind == "constant" or not self.channels:
            return CONSTANTS[number % len(CONSTANTS)]
        channel = self.picked(self.hidden if self.hidden and number % 5 == 0 else self.channels, number)
        made: dict[str, Callable[[], Any]] = {
            "earlier": lambda: channel,
            "text": lambda: f"<{channel}>",
            "list": lambda: [channel, 1],
            "collected": lambda: dsl.Collected(channel),
            "one_of": lambda: dsl.OneOf(channel, self.picked(self.channels, number // 2)),
            "key": lambda: channel["key"],
        }
        return made[kind]()

    def picked(self, among: list[Any], number: int) -> Any:
        return among[-1 - number % len(among)]  # rather one of the last: it is more often one that can be used

    def call(self, number: int, value: tuple[str, int]) -> None:
        component, inputs = CALLS[number]
        given = {name: self.value(value) for name in inputs}
        try:
            task = component(**given)
        except DefinitionError:
            if not self.tolerant:
                raise
            task = component(**{name: SURE[name] for name in inputs if name in SURE})
        self.tasks.append(task)
        self.channels.extend(task.outputs.values())

    def after(self, one: int, other: int) -> None:
        if self.tasks:
            self.picked(self.tasks, one).after(self.picked([*self.tasks, *self.groups], other))

    def set(self, setter: str, value: tuple[str, int]) -> None:
        if self.tasks:
            before = ("NAME",) if setter == "set_env_variable" else ()
            getattr(self.tasks[-1], setter)(*before, self.value(value))

    def ignore(self, number: int, _: None) -> None:
        if self.tasks:
            self.picked(self.tasks, number).ignore_upstream_failure()


def names(group: Group) -> list[str]:
    """Every name below GROUP."""
    return [name for each in group.children for name in [each.name, *(names(each) if isinstance(each, Group) else [])]]


def check(definition: PipelineDefinition) -> None:
    found = names(definition.root)
    assert len(found) == len(set(found))
    assert {each for each in found if each in definition.tasks} == set(definition.tasks)
    assert all(each.parent.children.count(each) == 1 for each in definition.tasks.values())


@given(some.lists(steps, min_size=1, max_size=8), some.sampled_from([True, True, True, False]))
def test_it_is_built_or_a_mistake_is_named(plan: list[Any], tolerant: bool):
    def pipe(text: str, number: int, numbers: list, data: dsl.Input[dsl.Dataset]):  # type: ignore[type-arg]
        say(text="first")
        Author([text, number, numbers, data], tolerant).write(plan)

    said = ""
    try:
        built: GraphComponent[Any] = dsl.pipeline(pipe)
    except DefinitionError as mistake:
        said = str(mistake)
    if said:
        assert said.startswith(f"{__file__}:")
        assert said.endswith((".", "?"))
        return
    check(built.definition)
    assert "{{channel:" not in repr(built.pipeline_spec)
    assert [str(each) for each in validate(read_package(built.package.to_yaml().encode(), "flow.yaml"))] == []


def chain(length: int, step: Callable[[], None] = lambda: None) -> Callable[[], None]:
    def pipe() -> None:
        with dsl.ParallelFor([1, 2]) as item:
            for _ in range(length):
                step()
                say(text=f"{item}")

    return pipe


def expected(length: int) -> list[str]:
    return ["for-loop-2", *("say" if number == 0 else f"say-{number + 1}" for number in range(length))]


def test_threads_build_side_by_side():
    together = Barrier(8, timeout=60)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: define(chain(number, together.wait)), [20] * 8))
    assert [names(each.root) for each in made] == [expected(20)] * 8


async def test_asyncio_tasks_build_side_by_side():
    async def build(length: int) -> list[str]:
        await asyncio.sleep(0)
        return names(define(chain(length)).root)

    assert await asyncio.gather(*map(build, range(1, 20))) == [expected(length) for length in range(1, 20)]
