"""What the function of a container component works with: stand-ins for its inputs and outputs, and the ContainerSpec it returns.

`decorators` calls the function with `stand_in`s and makes the IR's text of what comes back, with `as_text`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Union

from headrace.dsl.mistakes import mistake


class Placeholder:
    """Stands for text that is known when the task runs. In an f-string it leaves the IR's mark."""

    def as_ir(self) -> Any:
        """As it stands in a command of the IR: text, or the structure of a ConcatPlaceholder or IfPresentPlaceholder."""
        raise NotImplementedError

    def __str__(self) -> str:
        return str(self.as_ir())

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), str(self.as_ir())))


CommandLineElement = Union[str, Placeholder]  # noqa: UP007  # evaluated when it is imported


class Mark(Placeholder):
    """One `{{$…}}`. `names`: the input or output in it, for the check that there is such a thing."""

    def __init__(self, text: str) -> None:
        self.text = text

    def as_ir(self) -> str:
        return "{{$." + self.text + "}}"

    def __add__(self, other: object) -> str:
        return str(self) + other if isinstance(other, str) else NotImplemented

    def __radd__(self, other: object) -> str:
        return other + str(self) if isinstance(other, str) else NotImplemented


class InputMark(Mark):
    """An input parameter. Its name and type are what Google's components read of KFP's class of this kind."""

    def __init__(self, name: str, ir_type: str) -> None:
        super().__init__(f"inputs.parameters['{name}']")
        self.input_name = name
        self._ir_type = ir_type


class MetadataMark(Mark):
    """An artifact's metadata: as a whole, or one key of it."""

    def __getitem__(self, key: str) -> str:
        return str(Mark(f"{self.text}['{key}']"))


class ArtifactStandIn:
    """An artifact in a container component: its uri, path and metadata have places in a command, itself has none."""

    def __init__(self, name: str, side: str) -> None:
        self.name_ = name
        self._at = f"{side}.artifacts['{name}']"

    def __getattr__(self, attribute: str) -> Mark:
        if attribute in ("uri", "path"):
            return Mark(f"{self._at}.{attribute}")
        if attribute == "metadata":
            return MetadataMark(f"{self._at}.metadata")
        raise mistake(f"The artifact {self.name_} has no {attribute!r} before it runs; use its uri, path or metadata.")

    def __str__(self) -> str:
        raise mistake(f"The artifact {self.name_} itself cannot stand in a command; use its uri, path or metadata.")


class ListStandIn(Mark):
    """A list of artifacts: only the whole has a place in a command."""

    def __init__(self, name: str, side: str) -> None:
        super().__init__(f"{side}.artifacts['{name}']")
        self.name_ = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute in ("name", "uri", "path", "metadata"):
            raise mistake(
                f"{self.name_} is a list of artifacts, whose {attribute} a command cannot use; pass the list as a whole."
            )
        raise AttributeError(attribute)

    def __getitem__(self, key: object) -> Any:
        raise mistake(
            f"{self.name_} is a list of artifacts, of which a command cannot take element {key!r}; pass the list as a whole."
        )


class ConcatPlaceholder(Placeholder):
    """Text put together of pieces when the task runs."""

    def __init__(self, items: list[CommandLineElement]) -> None:
        for item in items:
            _single_only(item)
        self.items = items

    def as_ir(self) -> dict[str, Any]:
        return {"Concat": [_as_ir(item) for item in self.items]}

    def __str__(self) -> str:
        raise mistake("A ConcatPlaceholder cannot stand in an f-string; make the whole text one ConcatPlaceholder.")


class IfPresentPlaceholder(Placeholder):
    """`then` where the input was given, else `else_`."""

    def __init__(
        self,
        input_name: str,
        then: CommandLineElement | list[CommandLineElement],
        else_: CommandLineElement | list[CommandLineElement] | None = None,
    ) -> None:
        self.input_name = input_name
        self.then = then
        self.else_ = else_

    def as_ir(self) -> dict[str, Any]:
        chosen = {"InputName": self.input_name, "Then": _as_ir(self.then)}
        if self.else_:
            chosen["Else"] = _as_ir(self.else_)
        return {"IfPresent": chosen}

    def __str__(self) -> str:
        raise mistake(
            "An IfPresentPlaceholder cannot stand in an f-string; put it into a ConcatPlaceholder, or into the list by itself."
        )


@dataclass
class ContainerSpec:
    """What a container component returns. Pieces of `command` and `args` are text and placeholders."""

    image: str
    command: Sequence[Any] | None = None
    args: Sequence[Any] | None = None


def stand_in(name: str, *, output: bool, artifact: bool, is_list: bool, ir_type: str = "") -> Any:
    """What the function of a container component gets for the parameter NAME."""
    side = "outputs" if output else "inputs"
    if artifact and is_list:
        return ListStandIn(name, side)
    if artifact:
        return ArtifactStandIn(name, side)
    return Mark(f"outputs.parameters['{name}'].output_file") if output else InputMark(name, ir_type)


def as_text(piece: Any, inputs: set[str], what: str) -> str:
    """PIECE of a command as the IR writes it; WHAT names the list it is in."""
    if isinstance(piece, ArtifactStandIn):
        raise mistake(f"The artifact {piece.name_} itself stands in {what}; use its uri, path or metadata.")
    if not isinstance(piece, (str, Placeholder)):
        raise mistake(f"{piece!r} in {what} is {_kind(piece)}; a command holds text and placeholders.")
    for name in _inputs_asked_for(piece):
        if name not in inputs:
            raise mistake(
                f"An IfPresentPlaceholder in {what} asks for the input {name!r}, which it has not; it has {sorted(inputs)}."
            )
    made = _as_ir(piece)
    return made if isinstance(made, str) else json.dumps(made)


def _kind(piece: Any) -> str:
    name = type(piece).__name__
    return "nothing" if piece is None else f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _as_ir(piece: Any) -> Any:
    if isinstance(piece, list):
        return [_as_ir(each) for each in piece]
    if isinstance(piece, ArtifactStandIn):
        return str(piece)  # says what to do instead
    return piece.as_ir() if isinstance(piece, Placeholder) else piece


def _inputs_asked_for(piece: Any) -> list[str]:
    if isinstance(piece, list):
        return [name for each in piece for name in _inputs_asked_for(each)]
    if isinstance(piece, ConcatPlaceholder):
        return _inputs_asked_for(piece.items)
    if isinstance(piece, IfPresentPlaceholder):
        return [piece.input_name, *_inputs_asked_for(piece.then), *_inputs_asked_for(piece.else_)]
    return []


def _single_only(piece: Any) -> None:
    """A ConcatPlaceholder makes one text, so nothing in it may be a list."""
    if isinstance(piece, ConcatPlaceholder):
        for item in piece.items:
            _single_only(item)
    if isinstance(piece, IfPresentPlaceholder):
        for chosen in (piece.then, piece.else_):
            if isinstance(chosen, list):
                raise mistake(
                    f"The IfPresentPlaceholder of {piece.input_name!r} stands in a ConcatPlaceholder, so its `then` and `else_` "
                    "are one text each, no lists; put the lists' items into a ConcatPlaceholder."
                )
            _single_only(chosen)
