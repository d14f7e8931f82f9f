"""KFP's component files from before there was an IR (`implementation: container: …`), read as components. Pure.

Called by `headrace.components`. Types that the IR does not know are artifacts, as KFP takes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from headrace.dsl.annotations import PARAMETER_NAMES
from headrace.dsl.artifacts import BY_NAME
from headrace.dsl.components import ContainerImplementation
from headrace.dsl.constants import PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER
from headrace.dsl.interface import (
    ArtifactInput,
    ArtifactOutput,
    ArtifactType,
    Input,
    Interface,
    Output,
    ParameterInput,
    ParameterOutput,
    ParameterType,
)
from headrace.dsl.mistakes import mistake
from headrace.dsl.naming import dashed
from headrace.dsl.placeholders import ConcatPlaceholder, IfPresentPlaceholder, as_text, stand_in

TRUE: Final = ("y", "yes", "t", "true", "on", "1")
FALSE: Final = ("n", "no", "f", "false", "off", "0")

Read = tuple[str, Interface, ContainerImplementation, str]


def read_old(document: Mapping[str, Any], what: str) -> Read:
    """The name, interface, implementation and description of the component in DOCUMENT; WHAT names it in messages."""
    container = (document.get("implementation") or {}).get("container")
    if not isinstance(container, dict) or not container.get("image"):
        raise mistake(
            f"{what} holds an old component without a container's image; only containers can be loaded from such files."
        )
    inputs = {_name(each, what): _input(each, what) for each in document.get("inputs") or ()}
    outputs = {_name(each, what): _output(each) for each in document.get("outputs") or ()}
    interface = Interface(inputs, outputs)
    pieces = _Pieces(interface, what)
    made: dict[str, Any] = {"image": str(container["image"])}
    for part in ("command", "args"):
        if container.get(part):
            made[part] = [pieces.text(each) for each in container[part]]
    if container.get("env"):
        made["env"] = [{"name": str(name), "value": pieces.text(value)} for name, value in container["env"].items()]
    name = dashed(str(document.get("name") or "name"))
    return name, interface, ContainerImplementation(made), str(document.get("description") or "")


def _name(each: Mapping[str, Any], what: str) -> str:
    if not isinstance(each, dict) or not each.get("name"):
        raise mistake(f"{what} holds an input or output without a name: {each!r}; name it.")
    return plain_name(str(each["name"]))


def plain_name(name: str) -> str:
    """An input's or output's NAME as a name of Python: `Train data` → `train_data`."""
    return re.sub("[^_0-9a-z]+", "_", name.lower()).strip("_")


def _outer(type_: Any) -> str:
    """The type without what is inside of it: `typing.List[str]` → `list`; "" for a structure or none."""
    return str(type_).removeprefix("typing.").split("[")[0] if isinstance(type_, str) else ""


def _artifact_type(type_: Any) -> ArtifactType:
    outer = _outer(type_)
    if re.match("^google.[A-Za-z]+$", outer):
        return ArtifactType(outer, "0.0.1")
    class_ = BY_NAME.get(outer.lower(), BY_NAME["artifact"])
    return ArtifactType(class_.schema_title, class_.schema_version)


def _input(each: Mapping[str, Any], what: str) -> Input:
    type_ = each.get("type")
    outer = _outer(type_)
    optional = bool(each.get("optional", False)) or "default" in each
    if outer == "PipelineTaskFinalStatus":
        return ParameterInput(ParameterType.TASK_FINAL_STATUS, optional=True)
    if outer.lower() not in PARAMETER_NAMES:
        return ArtifactInput(_artifact_type(type_), optional=optional)
    parameter = ParameterType(PARAMETER_NAMES[outer.lower()])
    default = each.get("default")
    if default is None:
        return ParameterInput(parameter, optional=optional)
    try:
        return ParameterInput(parameter, _default(parameter, default), True)
    except ValueError:
        raise mistake(
            f"{what} holds the input {each['name']!r} of type {type_}, whose default {default!r} is none; correct the default."
        ) from None


def _default(type_: ParameterType, default: Any) -> Any:
    if type_ is ParameterType.NUMBER_INTEGER:
        return int(default)
    if type_ is ParameterType.NUMBER_DOUBLE:
        return float(default)
    if type_ is ParameterType.STRING:
        return str(default)
    if not isinstance(default, str):
        return default
    if type_ is ParameterType.BOOLEAN:
        if default.lower() not in (*TRUE, *FALSE):
            raise ValueError(default)
        return default.lower() in TRUE
    return json.loads(default)


def _output(each: Mapping[str, Any]) -> Output:
    outer = _outer(each.get("type")).lower()
    if outer in PARAMETER_NAMES:
        return ParameterOutput(ParameterType(PARAMETER_NAMES[outer]))
    return ArtifactOutput(_artifact_type(each.get("type")))


class _Pieces:
    """The pieces of a command: text, and structures that stand for inputs and outputs."""

    def __init__(self, interface: Interface, what: str) -> None:
        self._interface = interface
        self._what = what

    def text(self, piece: Any) -> str:
        return as_text(self._made(piece), set(self._interface.inputs), f"the command of {self._what}")

    def _made(self, piece: Any) -> Any:
        if isinstance(piece, dict) and len(piece) == 1:
            ((word, value),) = piece.items()
            maker = getattr(self, f"_{_snake(word)}", None) if isinstance(word, str) else None
            if maker is not None:
                return maker(value)
        if isinstance(piece, (dict, list)):
            raise mistake(
                f"{self._what} holds a command with {piece!r}, which no command can hold; use inputValue, inputPath or the like."
            )
        return str(piece)

    def _all(self, pieces: Any) -> Any:
        return [self._made(each) for each in pieces] if isinstance(pieces, list) else self._made(pieces)

    def _input_value(self, name: str) -> Any:
        return self._stand_in(name, ParameterInput, "inputValue", "inputPath")

    def _input_path(self, name: str) -> Any:
        return self._stand_in(name, ArtifactInput, "inputPath", "inputValue").path

    def _input_uri(self, name: str) -> Any:
        return self._stand_in(name, ArtifactInput, "inputUri", "inputValue").uri

    def _output_path(self, name: str) -> Any:
        found = self._interface.outputs.get(plain_name(name))
        if found is None:
            raise self._unknown("output", name)
        made = stand_in(plain_name(name), output=True, artifact=isinstance(found, ArtifactOutput), is_list=False)
        return made if isinstance(found, ParameterOutput) else made.path

    def _output_uri(self, name: str) -> Any:
        if not isinstance(self._interface.outputs.get(plain_name(name)), ArtifactOutput):
            raise self._unknown("output artifact", name)
        return stand_in(plain_name(name), output=True, artifact=True, is_list=False).uri

    def _executor_input(self, _: Any) -> Any:
        return PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER

    def _concat(self, pieces: Any) -> Any:
        return ConcatPlaceholder(self._all(pieces))

    def _if(self, choice: Any) -> Any:
        condition = choice.get("cond") if isinstance(choice, dict) else None
        if not isinstance(condition, dict) or "isPresent" not in condition or "then" not in choice:
            raise mistake(f"{self._what} holds an `if` without `cond: {{isPresent: …}}` and `then`; write both.")
        otherwise = choice.get("else")
        return IfPresentPlaceholder(
            plain_name(condition["isPresent"]),
            self._all(choice["then"]),
            None if otherwise is None else self._all(otherwise),
        )

    def _if_present(self, choice: Any) -> Any:
        otherwise = choice.get("else")
        return IfPresentPlaceholder(
            plain_name(choice["inputName"]),
            self._all(choice["then"]),
            None if otherwise is None else self._all(otherwise),
        )

    def _stand_in(self, name: str, kind: type, word: str, other: str) -> Any:
        found = self._interface.inputs.get(plain_name(name))
        if found is None:
            raise self._unknown("input", name)
        if not isinstance(found, kind):
            has = "an artifact" if isinstance(found, ArtifactInput) else "a parameter"
            raise mistake(
                f"{self._what} uses {word} for {name!r}, which is {has}; use {other}, or change the input's type."
            )
        return stand_in(plain_name(name), output=False, artifact=kind is ArtifactInput, is_list=False)

    def _unknown(self, kind: str, name: str) -> Exception:
        return mistake(f"{self._what} uses the {kind} {name!r} in its command, but has none of that name; add it.")


def _snake(word: str) -> str:
    return re.sub("([A-Z])", r"_\1", word).lower()
