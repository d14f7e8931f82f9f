"""The words that authors put on parameters of components: Input, Output, EmbeddedInput, InputPath, OutputPath, OUTPUT.

Runtime-safe: the standard library and `artifacts` alone. Read by `signature` at definition and by the runtime in the container,
both through `read`, so that the two never disagree on what an annotation means.
"""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin

from headrace.dsl.artifacts import BY_NAME, Artifact

T = TypeVar("T")


class InputAnnotation:
    """Marks an artifact that the component takes."""


class OutputAnnotation:
    """Marks an artifact that the component puts out."""


class EmbeddedAnnotation:
    """Marks an artifact that the component brings along."""


Input = Annotated[T, InputAnnotation]
Output = Annotated[T, OutputAnnotation]
EmbeddedInput = Annotated[T, EmbeddedAnnotation]


class _GivenByThePlatform:
    def __repr__(self) -> str:
        return "OUTPUT"


OUTPUT: Final[Any] = _GivenByThePlatform()
"""The default of a parameter that the platform gives, for type checkers: `model: Output[Model] = dsl.OUTPUT`."""


class _TypedPath:
    """`type`: a parameter's type, an artifact class, or the name of either, as the author wrote it; None: any artifact."""

    def __init__(self, type: Any = None) -> None:
        self.type = type

    def __class_getitem__(cls, type: Any) -> _TypedPath:
        """`InputPath[str]`: the same as `InputPath(str)`, in a form that type checkers take."""
        return cls(type)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _TypedPath) and other.__class__ is self.__class__ and other.type == self.type

    def __hash__(self) -> int:
        return hash((self.__class__, str(self.type)))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({getattr(self.type, '__name__', self.type)!s})"

    def __call__(self) -> None:
        """Never called: only that `Optional[InputPath(str)]` is taken by Python's typing, which asks for something callable."""


class InputPath(_TypedPath):
    """`data: InputPath("Dataset")`: the function gets the path of the input's file."""


class OutputPath(_TypedPath):
    """`text: OutputPath(str)`: the function gets the path to which it writes the output."""


Marker = Literal["", "input", "output", "embedded", "input path", "output path"]


@dataclass(frozen=True)  # no slots: in a container it may be Python 3.9
class Read:
    """An annotation taken apart. `type`: what is left without marker, Optional and list of artifacts; `is_list`: a list of
    artifacts; `is_artifact`: an artifact class (of ours or one that has `schema_title` and `schema_version`).
    """

    type: Any
    marker: Marker = ""
    optional: bool = False
    is_list: bool = False
    is_artifact: bool = False


def read(annotation: Any) -> Read:
    """ANNOTATION (evaluated, never a string) taken apart."""
    inner, optional = without_none(annotation)
    marker: Marker = ""
    if isinstance(inner, _TypedPath):
        marker, inner = ("output path" if isinstance(inner, OutputPath) else "input path"), inner.type
        inner = artifact_named(inner)
    elif get_origin(inner) is Annotated:
        marker, inner, also_optional = _of_annotated(inner)
        optional = optional or also_optional
    if is_artifact_class(inner):
        return Read(inner, marker, optional, is_artifact=True)
    element = get_args(inner)[0] if get_origin(inner) is list and get_args(inner) else None
    if is_artifact_class(element):
        return Read(element, marker, optional, is_list=True, is_artifact=True)
    return Read(inner, marker, optional)


def _of_annotated(annotation: Any) -> tuple[Marker, Any, bool]:
    inner, *marks = get_args(annotation)
    inner, optional = without_none(inner)
    for mark in marks:
        if isinstance(mark, _TypedPath):  # Annotated[str, OutputPath(str)]: what type checkers take
            return (
                ("output path" if isinstance(mark, OutputPath) else "input path"),
                artifact_named(mark.type),
                optional,
            )
        for which, name in _MARKERS.items():
            if mark is which or isinstance(mark, which):
                return name, inner, optional
    return "", inner, optional


_MARKERS: Final[dict[type, Marker]] = {
    InputAnnotation: "input",
    OutputAnnotation: "output",
    EmbeddedAnnotation: "embedded",
}


def without_none(annotation: Any) -> tuple[Any, bool]:
    """ANNOTATION without `Optional[...]` or `| None`, and whether there was one. A wider union stays as it is."""
    if get_origin(annotation) in (typing.Union, getattr(types, "UnionType", typing.Union)):
        rest = [each for each in get_args(annotation) if each is not type(None)]
        if len(rest) == 1 and len(get_args(annotation)) == 2:
            return rest[0], True
    return annotation, False


def is_artifact_class(annotation: Any) -> bool:
    """Whether it is Artifact, a class of it, or a foreign class with the two attributes of one (as google's)."""
    if not isinstance(annotation, type):
        return False
    return issubclass(annotation, Artifact) or (
        hasattr(annotation, "schema_title") and hasattr(annotation, "schema_version")
    )


def artifact_named(type_: Any) -> Any:
    """The artifact class for what a path's annotation says: `"Dataset"`, nothing at all, a name that nobody knows; a
    parameter's type stays as it is.
    """
    if isinstance(type_, str) and type_.lower() in BY_NAME:
        return BY_NAME[type_.lower()]
    if type_ is None or (isinstance(type_, str) and type_.split("[")[0].lower() not in PARAMETER_NAMES):
        return Artifact
    return type_


PARAMETER_NAMES: Final = {
    "str": "STRING", "string": "STRING", "text": "STRING",
    "int": "NUMBER_INTEGER", "integer": "NUMBER_INTEGER",
    "float": "NUMBER_DOUBLE", "double": "NUMBER_DOUBLE",
    "bool": "BOOLEAN", "boolean": "BOOLEAN",
    "list": "LIST", "jsonarray": "LIST",
    "dict": "STRUCT", "jsonobject": "STRUCT",
}  # fmt: skip
"""Names of parameter types as YAML of old components and InputPath("…") write them, lowered, and the IR's word for each."""
