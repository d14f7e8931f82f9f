"""From a Python function to its Interface: what its annotations, defaults and docstring say. Called by the decorators.

One reading for components, container components and pipelines; what only one of them may have is told apart by KIND. Every
mistake names the function, the parameter and the way out.
"""

from __future__ import annotations

import inspect
import json
import math
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import FrameType, NoneType, SimpleNamespace
from typing import Any, Final, Literal, get_args, get_origin

from headrace.dsl.annotations import (
    OUTPUT,
    PARAMETER_NAMES,
    InputAnnotation,
    InputPath,
    OutputAnnotation,
    OutputPath,
    Read,
    read,
    without_none,
)
from headrace.dsl.docstrings import described_outputs, read_docstring
from headrace.dsl.final_status import PipelineTaskFinalStatus
from headrace.dsl.interface import (
    ArtifactInput,
    ArtifactOutput,
    ArtifactType,
    Input,
    Interface,
    JsonValue,
    Output,
    ParameterInput,
    ParameterOutput,
    ParameterType,
)
from headrace.dsl.mistakes import OURS, DefinitionError, mistake
from headrace.dsl.source import where_defined
from headrace.dsl.task_config import TaskConfig

SINGLE: Final = "Output"
"""The name of the output of a function that returns one value."""

WAYS: Final = (
    "use str, int, float, bool, list, dict, Literal[...], a pydantic model, "
    "Input[...] or Output[...] of an artifact class, InputPath(...) or OutputPath(...)"
)


class Kind(StrEnum):
    """What the function becomes; the values are words for messages."""

    COMPONENT = "component"
    CONTAINER = "container component"
    PIPELINE = "pipeline"


@dataclass(frozen=True, slots=True)
class Signature:
    """`annotations`: evaluated, by parameter; `description`: the docstring's prose."""

    interface: Interface
    annotations: Mapping[str, Any]
    description: str


def signature_of(function: Callable[..., Any], kind: Kind) -> Signature:
    """The signature of FUNCTION, read once, where the decorator stands."""
    return _Reading(function, kind).signature()


class _Reading:
    def __init__(self, function: Callable[..., Any], kind: Kind) -> None:
        self._function = function
        self._kind = kind
        self._name = function.__name__
        self._where = where_defined(function)
        self._raw = inspect.signature(function)
        self._locals = _locals_around() if any(isinstance(each, str) for each in _annotations(self._raw)) else {}
        self._inputs: dict[str, Input] = {}
        self._outputs: dict[str, Output] = {}

    def signature(self) -> Signature:
        docstring = inspect.getdoc(self._function)
        said = read_docstring(docstring)
        outputs_said = described_outputs(docstring)
        annotations = {}
        for name, parameter in self._raw.parameters.items():
            annotations[name] = annotation = self._evaluated(parameter)
            self._take(name, parameter, annotation, said.parameters.get(name, ""), outputs_said.get(name, ""))
        self._returned(outputs_said)
        return Signature(Interface(self._inputs, self._outputs), annotations, said.description)

    def _mistake(self, message: str) -> DefinitionError:
        return mistake(message, self._where)

    # one parameter

    def _evaluated(self, parameter: inspect.Parameter) -> Any:
        name = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
            raise self._mistake(
                f"{self._name}() takes {stars}{name}, but a {self._kind} has named inputs only; name each one."
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise self._mistake(
                f"{name} of {self._name}() can be given by position only, but inputs are given by name; drop the `/`."
            )
        if name == SINGLE:
            raise self._mistake(
                f"{self._name}() has a parameter {SINGLE!r}, the name of what a function returns; call it something else."
            )
        if parameter.annotation is parameter.empty:
            raise self._mistake(f"{name} of {self._name}() has no annotation, so its type is not known; {WAYS}.")
        return self._resolved(parameter.annotation, f"{name} of {self._name}()")

    def _take(self, name: str, parameter: inspect.Parameter, annotation: Any, said: str, output_said: str) -> None:
        what = f"{name} of {self._name}()"
        taken = self._read(annotation, what)
        if taken.marker in ("output", "output path"):
            self._no_default(parameter, what)
            self._add_output(name, taken, what, output_said)
        elif taken.marker != "embedded":  # which the component brings along
            self._inputs[name] = self._input(taken, parameter, what, said)

    def _read(self, annotation: Any, what: str) -> Read:
        if annotation in (InputPath, OutputPath):
            raise self._mistake(
                f"{what} is annotated {annotation.__name__} without a type; write {annotation.__name__}(str) or the like."
            )
        if _is_bare_marker(annotation):
            raise self._mistake(
                f"{what} says that it is an artifact but not of which class; write Input[Dataset] or the like."
            )
        taken = read(annotation)
        if taken.marker in ("input", "output", "embedded") and not taken.is_artifact:
            word = {"input": "Input", "output": "Output", "embedded": "EmbeddedInput"}[taken.marker]
            raise self._mistake(
                f"{what} is {word}[{_shown(taken.type)}], but {word} is for artifact classes; "
                + (
                    f"annotate it {_shown(taken.type)}."
                    if word == "Input"
                    else "use OutputPath(...) or return the value."
                )
            )
        return taken

    def _no_default(self, parameter: inspect.Parameter, what: str) -> None:
        if parameter.default is not parameter.empty and parameter.default is not OUTPUT:
            raise self._mistake(
                f"{what} is an output, which has no default; remove it, or write `= dsl.OUTPUT` for type checkers."
            )

    def _input(self, taken: Read, parameter: inspect.Parameter, what: str, said: str) -> Input:
        optional = parameter.default is not parameter.empty
        if parameter.default is OUTPUT:
            raise self._mistake(
                f"{what} is an input, but its default is dsl.OUTPUT; annotate it Output[...] or remove the default."
            )
        if taken.is_artifact:
            self._check_artifact_input(taken, what)
            if optional and parameter.default is not None:
                raise self._mistake(
                    f"{what} is an artifact, so its default can only be None, not {parameter.default!r}."
                )
            return ArtifactInput(self._artifact_type(taken.type, what), taken.is_list, optional, said)
        type_ = self._parameter_type(taken.type, what)
        if type_ in SYSTEM:
            return ParameterInput(type_, optional=True, description=said)
        literals = get_args(taken.type) if get_origin(taken.type) is Literal else ()
        if not optional or parameter.default is None:
            return ParameterInput(
                type_, optional=optional, description=said, literals=literals, inside=_inside(taken.type)
            )
        default = self._default(parameter.default, type_, literals, what)
        return ParameterInput(type_, default, True, said, literals, _inside(taken.type))

    def _check_artifact_input(self, taken: Read, what: str) -> None:
        if self._kind is Kind.CONTAINER and taken.marker == "":
            shown = f"list[{taken.type.__name__}]" if taken.is_list else taken.type.__name__
            raise self._mistake(
                f"{what} is an artifact of a container component, so it is Input[{shown}] or Output[{shown}]; write which."
            )

    # types

    def _parameter_type(self, type_: Any, what: str) -> ParameterType:
        found = _type_of(type_)
        if found is None:
            raise self._mistake(f"{what} is annotated {_shown(type_)}, which no input or output can be; {WAYS}.")
        return found

    def _artifact_type(self, class_: Any, what: str) -> ArtifactType:
        title, version = class_.schema_title, class_.schema_version
        if title.split(".")[0] not in ("system", "google") or title.count(".") != 1 or str(version).count(".") != 2:
            raise self._mistake(
                f"{what} is of the artifact class {class_.__name__}, whose schema is {title!r} of version {version!r}; "
                "give it a schema_title `system.<Name>` or `google.<Name>` and a schema_version such as '0.0.1'."
            )
        return ArtifactType(title, version)

    def _default(self, default: Any, type_: ParameterType, literals: tuple[Any, ...], what: str) -> JsonValue:
        value: JsonValue = _plain(default)
        if not _is_json(value):
            raise self._mistake(
                f"The default of {what} is {default!r}, which JSON cannot hold; use a value that it can."
            )
        if type_ is ParameterType.NUMBER_INTEGER and isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, PYTHON_TYPES[type_]) or (
            isinstance(value, bool) and type_ is not ParameterType.BOOLEAN
        ):
            raise self._mistake(
                f"The default of {what} is {default!r}, which is no {_WORDS[type_]}; change the default or the annotation."
            )
        if literals and value not in literals:
            raise self._mistake(
                f"The default of {what} is {default!r}, which is none of its literals; use one of {list(literals)}."
            )
        checked: JsonValue = value
        return checked

    # outputs

    def _add_output(self, name: str, taken: Read, what: str, said: str) -> None:
        if name in self._outputs:
            raise self._mistake(
                f"{self._name}() has two outputs named {name!r}; rename the parameter or the field of the NamedTuple."
            )
        if taken.is_artifact:
            if taken.is_list and self._kind is not Kind.PIPELINE:
                raise self._mistake(
                    f"{what} is a list of artifacts, which only a pipeline can put out; put out one artifact, a folder."
                )
            self._outputs[name] = ArtifactOutput(self._artifact_type(taken.type, what), taken.is_list, said)
            return
        type_ = self._parameter_type(taken.type, what)
        if type_ in SYSTEM:
            raise self._mistake(f"{what} is a {_shown(taken.type)}, which the platform gives; it cannot be an output.")
        self._outputs[name] = ParameterOutput(type_, said, _inside(taken.type))

    def _returned(self, said: Mapping[str, str]) -> None:
        raw = self._raw.return_annotation
        if raw is inspect.Signature.empty or raw is None:
            return
        what = f"What {self._name}() returns"
        annotation = self._resolved(raw, what)
        if annotation in (None, NoneType):
            return
        if self._kind is Kind.CONTAINER:
            if getattr(annotation, "__name__", "") != "ContainerSpec":
                raise self._mistake(
                    f"{what} is a ContainerSpec, not {_shown(annotation)}; outputs are parameters Output[...] or OutputPath(...)."
                )
            return
        if isinstance(annotation, dict):
            raise self._mistake(f"{what} is annotated with a dict; name several outputs with a typing.NamedTuple.")
        if hasattr(annotation, "_fields"):
            self._returned_fields(annotation, what, said)
            return
        self._add_returned(SINGLE, annotation, what, said)

    def _returned_fields(self, tuple_: Any, what: str, said: Mapping[str, str]) -> None:
        types = getattr(tuple_, "__annotations__", {})
        for name in tuple_._fields:
            if name not in types:
                raise self._mistake(
                    f"{what} is a namedtuple whose field {name} has no type; make it a typing.NamedTuple with types."
                )
            field = f"The field {name} of what {self._name}() returns"
            self._add_returned(name, self._resolved(types[name], field), field, said)

    def _add_returned(self, name: str, annotation: Any, what: str, said: Mapping[str, str]) -> None:
        taken = self._read(annotation, what)
        if taken.marker and self._kind is not Kind.PIPELINE:
            raise self._mistake(
                f"{what} is annotated {_shown(annotation)}; return the class itself, or make it a parameter Output[...]."
            )
        self._add_output(name, taken, what, said.get(name, ""))

    # annotations that are text

    def _resolved(self, annotation: Any, what: str) -> Any:
        if not isinstance(annotation, str) and "ForwardRef" not in repr(annotation):
            return annotation
        try:
            holder = SimpleNamespace(__annotations__={"it": annotation})
            return typing.get_type_hints(
                holder, inspect.unwrap(self._function).__globals__, self._locals, include_extras=True
            )["it"]
        except NameError as unknown:
            if isinstance(annotation, str) and annotation.split("[")[0].lower() in PARAMETER_NAMES:
                return annotation
            raise self._mistake(
                f"{what} is annotated {annotation!r}, but {unknown.name!r} is not defined there; define or import it."
            ) from None
        except (SyntaxError, TypeError, AttributeError) as wrong:
            raise self._mistake(f"{what} is annotated {annotation!r}, which is no type ({wrong}); {WAYS}.") from None


SYSTEM: Final = (ParameterType.TASK_FINAL_STATUS, ParameterType.TASK_CONFIG)
PYTHON_TYPES: Final[Mapping[ParameterType, Any]] = {
    ParameterType.STRING: str,
    ParameterType.NUMBER_INTEGER: int,
    ParameterType.NUMBER_DOUBLE: (int, float),
    ParameterType.BOOLEAN: bool,
    ParameterType.LIST: list,
    ParameterType.STRUCT: dict,
}
_WORDS: Final = {
    ParameterType.STRING: "str",
    ParameterType.NUMBER_INTEGER: "int",
    ParameterType.NUMBER_DOUBLE: "float",
    ParameterType.BOOLEAN: "bool",
    ParameterType.LIST: "list",
    ParameterType.STRUCT: "dict",
}
_BY_TYPE: Final = {
    str: ParameterType.STRING,
    int: ParameterType.NUMBER_INTEGER,
    float: ParameterType.NUMBER_DOUBLE,
    bool: ParameterType.BOOLEAN,
    list: ParameterType.LIST,
    dict: ParameterType.STRUCT,
    PipelineTaskFinalStatus: ParameterType.TASK_FINAL_STATUS,
    TaskConfig: ParameterType.TASK_CONFIG,
}


def _type_of(type_: Any) -> ParameterType | None:
    """The IR's word for a Python type, or None where there is none."""
    if isinstance(type_, str):
        return (
            ParameterType(PARAMETER_NAMES[type_.split("[")[0].lower()])
            if type_.split("[")[0].lower() in PARAMETER_NAMES
            else None
        )
    origin = get_origin(type_) or type_
    if origin is Literal:
        kinds = {_BY_TYPE.get(type(each)) for each in get_args(type_)}
        return kinds.pop() if len(kinds) == 1 else None
    if isinstance(origin, type) and (is_pydantic(origin) or typing.is_typeddict(origin)):
        return ParameterType.STRUCT
    try:
        return _BY_TYPE.get(origin)
    except TypeError:  # what cannot be hashed is no type
        return None


def _inside(type_: Any) -> tuple[ParameterType, ...]:
    """What is in a list's items or a dict's values, and in those, as far as the annotation says."""
    arguments = get_args(type_) if get_origin(type_) in (list, dict) else ()
    first = _type_of(without_none(arguments[-1])[0]) if arguments else None
    return () if first is None else (first, *_inside(without_none(arguments[-1])[0]))


def is_pydantic(class_: Any) -> bool:
    """Whether it is a class of pydantic models, of either major version; pydantic is not imported for it."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(class_, type) and issubclass(class_, pydantic.BaseModel)


def _plain(value: Any) -> Any:
    if is_pydantic(type(value)):
        return value.model_dump(mode="json") if hasattr(value, "model_dump") else json.loads(value.json())
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value] if isinstance(value, list) else value
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(each) for key, each in value.items())
    if isinstance(value, list):
        return all(_is_json(each) for each in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int))


def _annotations(signature: inspect.Signature) -> list[Any]:
    return [*(each.annotation for each in signature.parameters.values()), signature.return_annotation]


def _is_bare_marker(annotation: Any) -> bool:
    """`Input` instead of `Input[Dataset]`."""
    marks = getattr(annotation, "__metadata__", ())
    bare = isinstance(getattr(annotation, "__origin__", None), typing.TypeVar)
    return annotation in (InputAnnotation, OutputAnnotation) or (bool(marks) and bare)


def _shown(type_: Any) -> str:
    if isinstance(type_, type) and not get_args(type_):
        return type_.__name__
    return repr(type_).replace("typing.", "")


def _locals_around() -> dict[str, Any]:
    """The local names of the user's code around the definition: annotations that are text may use them."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(OURS):
        frame = frame.f_back
    return dict(frame.f_locals) if frame is not None else {}
