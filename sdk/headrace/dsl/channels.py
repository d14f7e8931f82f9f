"""Values that are known only when the pipeline runs: what tasks are given, conditions compare and pipelines return. Pure.

A channel in an f-string, a list or a dict leaves a mark in the text, from which the compiler finds it again.
Read by tasks, groups and the compiler. What cannot be done with a value that is not there yet (to test it in an `if`,
to iterate, to calculate) is a mistake that says what can.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from headrace.dsl.interface import ArtifactType, ParameterType
from headrace.dsl.marks import Marks
from headrace.dsl.mistakes import OURS, DefinitionError, mistake
from headrace.dsl.naming import HANDED

if TYPE_CHECKING:
    from headrace.dsl.groups import BranchesGroup, LoopGroup
    from headrace.dsl.tasks import PipelineTask

Inside = tuple[ParameterType, ...]


class Channel:
    """Base of all. `name`: of the output, of the pipeline's input, or of the loop item (`loop-item-param-1`).
    `producer`: the task whose output it is; None: an input of the pipeline, or a loop's item. `marks`: of its pipeline.
    """

    __slots__ = ("marks", "name", "producer")

    def __init__(self, name: str, producer: PipelineTask | None, marks: Marks) -> None:
        self.name = name
        self.producer = producer
        self.marks = marks

    @property
    def task_name(self) -> str:
        """The task (or the group) that it comes from, or "" for an input of the pipeline."""
        return self.producer.name if self.producer is not None else ""

    @property
    def full_name(self) -> str:
        """Unique in its pipeline: `train-model`, or the input's name."""
        return f"{self.task_name}-{self.name}" if self.task_name else self.name

    def described(self) -> str:
        """What it is, for messages."""
        if self.producer is not None:
            return f"the output {self.name!r} of the task {self.producer.name!r}"
        return f"the pipeline's input {self.name!r}"

    def __str__(self) -> str:
        return self.marks.of(self)

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        if spec:
            raise self._too_early(f"{spec!r} cannot format it", "format it inside of a component.")
        return str(self)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # compared when the pipeline runs
        return Condition(self, "==", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return Condition(self, "!=", other)

    def __lt__(self, other: object) -> Condition:
        return Condition(self, "<", other)

    def __le__(self, other: object) -> Condition:
        return Condition(self, "<=", other)

    def __gt__(self, other: object) -> Condition:
        return Condition(self, ">", other)

    def __ge__(self, other: object) -> Condition:
        return Condition(self, ">=", other)

    def __bool__(self) -> bool:
        raise self._too_early("Python cannot test it now", "compare it in `with dsl.If(...)`.")

    def __iter__(self) -> NoReturn:
        raise self._too_early("Python cannot iterate over it", "use `with dsl.ParallelFor(...)`.")

    def __contains__(self, item: object) -> bool:
        raise self._too_early("Python's `in` cannot look into it", "do it inside of a component.")

    def __getitem__(self, key: object) -> Any:
        raise self._too_early(f"[{key!r}] cannot be taken from it", "take it inside of a component.")

    def _too_early(self, problem: str, way_out: str) -> DefinitionError:
        return mistake(f"{self._begun()} is known only when the pipeline runs, so {problem}; {way_out}")

    def _begun(self) -> str:
        """`described`, to begin a sentence with."""
        described = self.described()
        return described[0].upper() + described[1:]


def _not_calculable(name: str) -> Callable[..., NoReturn]:
    def refuse(self: Channel, *_: object) -> NoReturn:
        raise self._too_early("Python cannot calculate with it", "do that inside of a component.")

    refuse.__name__ = name
    return refuse


_CALCULATIONS: Final = (
    "add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow neg abs int float index len round"
)
for _name in _CALCULATIONS.split():
    setattr(Channel, f"__{_name}__", _not_calculable(f"__{_name}__"))


class ParameterChannel(Channel):
    """A parameter: a task's output or a pipeline's input. `inside`: what is in it, level by level, as far as the annotation says:
    `List[Dict[str, int]]` is a LIST with (STRUCT, NUMBER_INTEGER) inside.
    """

    __slots__ = ("inside", "type")

    def __init__(
        self, name: str, type_: ParameterType, producer: PipelineTask | None, marks: Marks, inside: Inside = ()
    ) -> None:
        super().__init__(name, producer, marks)
        self.type = type_
        self.inside = inside


class ArtifactChannel(Channel):
    """An artifact, or a list of them: a task's output or a pipeline's input."""

    __slots__ = ("is_list", "type")

    def __init__(
        self, name: str, type_: ArtifactType, producer: PipelineTask | None, marks: Marks, is_list: bool = False
    ) -> None:
        super().__init__(name, producer, marks)
        self.type = type_
        self.is_list = is_list

    def __str__(self) -> str:
        raise mistake(
            f"{self._begun()} is an artifact, which a text cannot hold; give it to an input of an artifact type."
        )

    __repr__ = object.__repr__


_DATA: Final = frozenset(
    {
        "described",
        "field",
        "fields",
        "full_name",
        "inside",
        "items",
        "loop",
        "marks",
        "name",
        "producer",
        "task_name",
        "type",
        "typed",
    }
)


class LoopItem(ParameterChannel):
    """What a ParallelFor hands to its body. `items`: the channel looped over (a ParameterChannel, LoopItem or LoopItemField), or
    None where the items are written out (`loop.items`). `typed`: whether its type is known; if not, STRING stands for any.

    `item.key` and `item["key"]` are one key of an item that is an object. Also of keys that are named as this class's own
    data, such as `item.name`: in the user's code they are keys, in ours data.
    """

    __slots__ = ("fields", "items", "loop", "typed")

    def __init__(
        self,
        name: str,
        type_: ParameterType,
        loop: LoopGroup,
        items: Channel | None,
        marks: Marks,
        inside: Inside,
        typed: bool,
    ) -> None:
        super().__init__(name, type_, None, marks, inside)
        self.loop = loop
        self.items = items
        self.typed = typed
        self.fields: dict[str, LoopItemField] = {}

    @property
    def task_name(self) -> str:
        return self.items.task_name if self.items is not None else ""

    def described(self) -> str:
        return f"the item of the loop {self.loop.name!r}"

    def field(self, key: str) -> LoopItemField:
        """The channel of one key of the item."""
        if key not in self.fields:
            if not (isinstance(key, str) and key.isidentifier() and key.isascii()):
                raise mistake(
                    f"{self._begun()} is asked for {key!r}, but only keys that are names of Python can be taken; "
                    "give the whole item to a component."
                )
            self.fields[key] = LoopItemField(self, key)
        return self.fields[key]

    def __getitem__(self, key: object) -> LoopItemField:
        return self.field(key)  # type: ignore[arg-type]  # checked there

    def __getattribute__(self, name: str) -> Any:
        if name in _DATA and not sys._getframe(1).f_code.co_filename.startswith(OURS):
            return self.field(name)
        return object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> LoopItemField:
        if name.startswith("__"):  # what copy, pickle and the like look for
            raise AttributeError(name)
        return self.field(name)


class LoopArtifact(ArtifactChannel):
    """What a ParallelFor over a list of artifacts hands to its body."""

    __slots__ = ("items", "loop")

    def __init__(self, name: str, type_: ArtifactType, loop: LoopGroup, items: ArtifactChannel) -> None:
        super().__init__(name, type_, None, items.marks)
        self.loop = loop
        self.items = items

    @property
    def task_name(self) -> str:
        return self.items.task_name

    def described(self) -> str:
        return f"the item of the loop {self.loop.name!r}"


class LoopItemField(ParameterChannel):
    """`item.field`: one key of an item that is an object. `typed` as that of the item."""

    __slots__ = ("field", "item", "typed")

    def __init__(self, item: LoopItem, field: str) -> None:
        type_, inside = item.loop.field_type(field)
        super().__init__(f"{item.name}-subvar-{field}", type_ or ParameterType.STRING, None, item.marks, inside)
        self.item = item
        self.field = field
        self.typed = type_ is not None

    @property
    def task_name(self) -> str:
        return self.item.task_name

    def described(self) -> str:
        return f"{self.field!r} of the item of the loop {self.item.loop.name!r}"


class Collected(Channel):
    """`dsl.Collected(channel)`: that output of every iteration, outside the loop."""

    __slots__ = ("of",)

    def __init__(self, output: Channel) -> None:
        if isinstance(output, (OneOf, Collected)):
            raise mistake(
                f"dsl.Collected takes the output of a task in a dsl.ParallelFor, but was given {output.described()}; "
                "collect the outputs themselves."
            )
        if not isinstance(output, (ParameterChannel, ArtifactChannel)) or output.producer is None:
            given = output.described() if isinstance(output, Channel) else repr(output)
            raise mistake(f"dsl.Collected takes the output of a task in a dsl.ParallelFor, but was given {given}.")
        super().__init__(output.name, output.producer, output.marks)
        self.of = output

    @property
    def is_artifact(self) -> bool:
        """Whether it is a list of artifacts; else it is a parameter of type LIST."""
        return isinstance(self.of, ArtifactChannel)

    def described(self) -> str:
        return f"dsl.Collected of {self.of.described()}"

    def __str__(self) -> str:
        if self.is_artifact:
            raise mistake(
                f"{self._begun()} is a list of artifacts, which a text cannot hold; give it to an input of its type."
            )
        return super().__str__()

    __repr__ = object.__repr__


class OneOf(Channel):
    """`dsl.OneOf(a, b)`: the output of whichever branch ran. `name` is unique in the pipeline."""

    __slots__ = ("branches", "of")

    def __init__(self, *channels: Channel) -> None:
        from headrace.dsl.checking import checked_branches

        self.of = channels
        self.branches: BranchesGroup = checked_branches(channels)
        self.branches.one_ofs += 1
        name = f"{HANDED}{self.branches.name}-oneof-{self.branches.one_ofs}"
        super().__init__(name, None, channels[0].marks)

    @property
    def task_name(self) -> str:
        return self.branches.name

    @property
    def is_artifact(self) -> bool:
        """Whether it is an artifact; else it is a parameter."""
        return isinstance(self.of[0], ArtifactChannel)

    def described(self) -> str:
        return f"dsl.OneOf of {self.branches.name!r}"

    def __str__(self) -> str:
        if self.is_artifact:
            raise mistake(
                f"{self._begun()} is an artifact, which a text cannot hold; give it to an input of an artifact type."
            )
        return super().__str__()

    __repr__ = object.__repr__


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """`left operator right`: what If and Elif take. At least one side is a channel. Never true or false itself."""

    left: Any
    operator: str  # == != < <= > >=
    right: Any

    def __bool__(self) -> bool:
        raise mistake(
            "A comparison with a value of the running pipeline is neither true nor false yet, so Python's `if`, "
            "`and`, `or` and `not` "
            "cannot use it; write `with dsl.If(...)`, and one inside the other for `and`."
        )
