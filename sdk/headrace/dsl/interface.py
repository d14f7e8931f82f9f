"""What goes into a component and what comes out of it, as immutable values, and the same in the IR. Pure.

Made from a function by `signature`, from a compiled spec by `from_ir`; read by components, by the checks of a call and by the
compiler. Types are the IR's own words, never Python's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

JsonValue = None | bool | int | float | str | list[Any] | dict[str, Any]


class ParameterType(StrEnum):
    """`parameterType` of the IR."""

    STRING = "STRING"
    NUMBER_INTEGER = "NUMBER_INTEGER"
    NUMBER_DOUBLE = "NUMBER_DOUBLE"
    BOOLEAN = "BOOLEAN"
    LIST = "LIST"
    STRUCT = "STRUCT"
    TASK_FINAL_STATUS = "TASK_FINAL_STATUS"
    TASK_CONFIG = "TASK_CONFIG"


@dataclass(frozen=True, slots=True)
class ArtifactType:
    """`artifactType` of the IR; user-defined types have a title such as `google.VertexModel`."""

    schema_title: str
    schema_version: str


class _Missing:
    """There is no default; None is one."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class ParameterInput:
    """A parameter that a component takes. `optional`: it need not be given (a default, or `Optional[...]`)."""

    type: ParameterType
    default: JsonValue | _Missing = MISSING
    optional: bool = False
    description: str = ""
    literals: tuple[JsonValue, ...] = ()


@dataclass(frozen=True, slots=True)
class ArtifactInput:
    """An artifact, or a list of them, that a component takes. `embedded`: the component brings it along; no call gives it."""

    type: ArtifactType
    is_list: bool = False
    optional: bool = False
    description: str = ""
    embedded: bool = False


@dataclass(frozen=True, slots=True)
class ParameterOutput:
    """A parameter that a component puts out."""

    type: ParameterType
    description: str = ""


@dataclass(frozen=True, slots=True)
class ArtifactOutput:
    """An artifact, or a list of them, that a component puts out."""

    type: ArtifactType
    is_list: bool = False
    description: str = ""


Input = ParameterInput | ArtifactInput
Output = ParameterOutput | ArtifactOutput


@dataclass(frozen=True, slots=True)
class Interface:
    """All inputs and outputs by name, in the order in which the author wrote them."""

    inputs: Mapping[str, Input] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)
