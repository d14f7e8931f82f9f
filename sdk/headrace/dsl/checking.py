"""Whether what a call gives fits what the component takes, and what stands together in a OneOf. Called by `context` and channels.

Says no only where the pipeline could not run: an int is a fine float, and an item whose type nobody wrote down fits everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from headrace.dsl.artifacts import Artifact
from headrace.dsl.channels import ArtifactChannel, Channel, Collected, LoopItem, LoopItemField, OneOf, ParameterChannel
from headrace.dsl.groups import BranchesGroup
from headrace.dsl.interface import (
    ArtifactInput,
    ArtifactOutput,
    ArtifactType,
    Input,
    Output,
    ParameterType,
)
from headrace.dsl.marks import Marks, marks_in
from headrace.dsl.mistakes import DefinitionError, Where, mistake
from headrace.dsl.values import WORDS, NotJson, plain, type_of

if TYPE_CHECKING:
    from headrace.dsl.components import Component

GENERIC: Final = "system.Artifact"
ALSO: Final = {
    (ParameterType.NUMBER_INTEGER, ParameterType.NUMBER_DOUBLE),
    (ParameterType.TASK_FINAL_STATUS, ParameterType.STRUCT),
}
"""What is given, and what takes that too."""


def nearest(name: str, names: Iterable[str]) -> str:
    """The way out for an unknown NAME: the nearest of NAMES, else all of them."""
    known = list(names)
    close = get_close_matches(str(name), known, 1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are {', '.join(repr(each) for each in known)}." if known else "there are none."


def checked_arguments(component: Component, arguments: Mapping[str, Any], marks: Marks, where: Where) -> dict[str, Any]:
    """ARGUMENTS, whose names COMPONENT knows, as a task keeps them; a mistake where one does not fit."""
    inputs = component.interface.inputs
    return {
        name: _checked(f"The input {name!r} of {component.name!r}", inputs[name], given, marks, where)
        for name, given in arguments.items()
    }


def _checked(what: str, taken: Input, given: Any, marks: Marks, where: Where) -> Any:
    if isinstance(given, Channel):
        own(given, marks, where)
        if not fits(given, taken):
            raise mistake(
                f"{what} takes {kind_of(taken)}, but {given.described()} is {kind_of(given)}; {_way_out(taken, given)}",
                where,
            )
        return given
    value = _constant(what, taken, given, where)
    for channel in marks_in(value).values():
        own(channel, marks, where)
    return value


def own(channel: Channel, marks: Marks, where: Where | None = None) -> None:
    """A mistake where CHANNEL is not of the pipeline with MARKS."""
    if channel.marks is not marks:
        described = channel.described()
        raise mistake(
            f"{described[0].upper()}{described[1:]} belongs to another pipeline; hand it in as an input of this "
            f"pipeline.",
            where,
        )


def _constant(what: str, taken: Input, given: Any, where: Where) -> Any:
    if given is None:
        raise mistake(f"{what} is given None, which the IR cannot hold; leave the argument out.", where)
    refuse_unusable(what, given, where)
    if isinstance(taken, ArtifactInput):
        if isinstance(given, (list, tuple)):
            raise mistake(
                f"{what} takes {kind_of(taken)}, but a list that is written out cannot hold artifacts; "
                "give it an output that is a list, or dsl.Collected(...).",
                where,
            )
        raise mistake(
            f"{what} takes {kind_of(taken)}, but is given the constant {given!r}; import it with "
            f"dsl.importer(artifact_uri=...).",
            where,
        )
    type_ = type_of(given)
    if type_ is None:
        raise mistake(f"{what} takes {kind_of(taken)}, but is given {_a(type(given).__name__)}; {_CONSTANTS}", where)
    if type_ is not taken.type and (type_, taken.type) not in ALSO:
        raise mistake(f"{what} takes {kind_of(taken)}, but is given {WORDS[type_]}{_shown(given)}.", where)
    try:
        value = plain(given)
    except NotJson as wrong:
        raise mistake(f"{what} is given {wrong}; {_CONSTANTS}", where) from None
    if taken.literals and value not in taken.literals and not marks_in(value):
        raise mistake(
            f"{what} is given {given!r}; it can be {', '.join(repr(each) for each in taken.literals)}.", where
        )
    return value


_CONSTANTS: Final = "a constant is a str, int, float, bool, list or dict."


def refuse_unusable(what: str, given: Any, where: Where | None = None) -> None:
    """A mistake for what is no value at all, but is often given: a task, a component, an artifact."""
    from headrace.dsl.components import Component
    from headrace.dsl.tasks import PipelineTask

    if isinstance(given, PipelineTask):
        way = "its .output" if len(given.outputs) == 1 else "one of its .outputs[...]"
        raise mistake(f"{what} is given the task {given.name!r} itself; give it {way}.", where)
    if isinstance(given, Component):
        raise mistake(f"{what} is given the component {given.name!r}; call it and give the task's .output.", where)
    if isinstance(given, Artifact):
        raise mistake(
            f"{what} is given an object of {type(given).__name__}, which only components have; import it with "
            f"dsl.importer(artifact_uri=...).",
            where,
        )


def fits(given: Channel, taken: Input | Output) -> bool:
    """Whether the channel GIVEN can be what is TAKEN."""
    if isinstance(given, OneOf):
        return fits(given.of[0], taken)
    if isinstance(taken, (ArtifactInput, ArtifactOutput)):
        artifact = given.of if isinstance(given, Collected) else given
        if not isinstance(artifact, ArtifactChannel):
            return False
        is_list = artifact.is_list or isinstance(given, Collected)
        return is_list == taken.is_list and same_class(artifact.type, taken.type)
    if isinstance(given, (LoopItem, LoopItemField)) and not given.typed:
        return True
    type_ = type_of_channel(given)
    return type_ is taken.type or (type_, taken.type) in ALSO


def same_class(given: ArtifactType, taken: ArtifactType) -> bool:
    """Whether an artifact of class GIVEN can be TAKEN: of the same class and major version, or one of them is the generic one."""
    if GENERIC in (given.schema_title, taken.schema_title):
        return True
    same_major = given.schema_version.split(".")[0] == taken.schema_version.split(".")[0]
    return given.schema_title == taken.schema_title and same_major


def type_of_channel(channel: Channel) -> ParameterType | None:
    """The type of a parameter's channel; None for an artifact."""
    if isinstance(channel, OneOf):
        return type_of_channel(channel.of[0])
    if isinstance(channel, Collected):
        return None if channel.is_artifact else ParameterType.LIST
    return channel.type if isinstance(channel, ParameterChannel) else None


def kind_of(one: Input | Output | Channel) -> str:
    """What ONE is, with its article: `an int`, `an artifact system.Model`, `a list of artifacts system.Model`."""
    if isinstance(one, OneOf):
        return kind_of(one.of[0])
    if isinstance(one, Collected):
        return f"a list of artifacts {one.of.type.schema_title}" if isinstance(one.of, ArtifactChannel) else "a list"
    if isinstance(one, (ArtifactChannel, ArtifactInput, ArtifactOutput)):
        return f"a list of artifacts {one.type.schema_title}" if one.is_list else f"an artifact {one.type.schema_title}"
    assert not isinstance(one, Channel) or isinstance(one, ParameterChannel)
    return WORDS[one.type]


def _shown(given: Any) -> str:
    """What is given, where it is short and nothing of the run is in it."""
    text = repr(given)
    return f": {text}" if len(text) <= 80 and not marks_in(given) else ""


def _a(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


def _way_out(taken: Input, given: Channel) -> str:
    given_type = type_of_channel(given)
    if isinstance(taken, ArtifactInput):
        if given_type is not None:
            return "give it an artifact, or import one with dsl.importer(artifact_uri=...)."
        if taken.is_list:
            return "give it an output that is a list, or dsl.Collected(...)."
        return (
            "loop over it with dsl.ParallelFor."
            if isinstance(given, Collected) or _is_list(given)
            else "give it one of its class."
        )
    if given_type is None:
        return "only an input annotated Input[...] can take an artifact."
    if taken.type is ParameterType.STRING:
        return 'put it in an f-string: f"{...}".'
    return "change one of the two annotations."


def _is_list(channel: Channel) -> bool:
    return isinstance(channel, ArtifactChannel) and channel.is_list


def checked_branches(channels: tuple[Any, ...]) -> BranchesGroup:
    """The branches that the CHANNELS of a OneOf are outputs of."""
    if not channels:
        raise mistake("dsl.OneOf takes the output of a task of each branch, but is given nothing.")
    for channel in channels:
        refuse_unusable("dsl.OneOf", channel)
        if isinstance(channel, (OneOf, Collected)) or not isinstance(channel, Channel) or channel.producer is None:
            given = channel.described() if isinstance(channel, Channel) else repr(channel)
            raise mistake(f"dsl.OneOf takes outputs of tasks, but is given {given}.")
    branches = _branches_of(channels[0])
    covered = {id(_branch(channel, branches)) for channel in channels}
    if not branches.has_else:
        raise mistake(
            f"dsl.OneOf is used on {branches.name!r}, which has no dsl.Else, so no branch may run; add `with "
            f"dsl.Else():` with a task."
        )
    if len(covered) < len(branches.branches):
        bare = next(each for each in branches.branches if id(each) not in covered)
        raise mistake(
            f"dsl.OneOf has no output of the branch {bare.name!r} ({bare.written}, {bare.where}); give one of "
            f"each branch."
        )
    _same_types(channels)
    return branches


def _branches_of(channel: Channel) -> BranchesGroup:
    assert channel.producer is not None
    above = channel.producer.parent.parent
    if isinstance(above, BranchesGroup):
        return above
    raise _not_a_branch(channel, "")


def _branch(channel: Channel, branches: BranchesGroup) -> Any:
    assert channel.producer is not None
    if channel.producer.parent.parent is not branches:
        raise _not_a_branch(channel, f" of {branches.name!r}")
    return channel.producer.parent


def _not_a_branch(channel: Channel, of: str) -> DefinitionError:
    return mistake(
        f"dsl.OneOf is given {channel.described()}, which is not directly in a branch{of}; "
        "give it outputs of tasks in dsl.If, dsl.Elif and dsl.Else of one chain."
    )


def _same_types(channels: tuple[Channel, ...]) -> None:
    first = channels[0]
    for other in channels[1:]:
        if kind_of(other) != kind_of(first) or getattr(other, "type", None) != getattr(first, "type", None):
            raise mistake(
                f"dsl.OneOf is given {first.described()}, which is {kind_of(first)}, and {other.described()}, "
                f"which is {kind_of(other)}; give it outputs of one type."
            )


def mistaken_operand(side: Any) -> str:
    """Why SIDE cannot be compared in a condition, or ""."""
    if isinstance(side, Channel):
        type_ = type_of_channel(side)
        if type_ is None:
            return f"{side.described()} is {kind_of(side)}"
        return f"{side.described()} is {WORDS[type_]}" if type_ in (ParameterType.LIST, ParameterType.STRUCT) else ""
    type_ = type_of(side)
    if type_ in (None, ParameterType.LIST, ParameterType.STRUCT):
        return f"{side!r} is {WORDS[type_] if type_ else _a(type(side).__name__)}"
    return ""
