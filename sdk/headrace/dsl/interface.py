"""What goes into a component and what comes out of it, as immutable values, and the same in the IR. Pure.

Made from a function by `signature`, from a component of a spec by `from_ir`; read by components, by the checks of a call and by
the compiler, which writes it with `input_definitions` and `output_definitions`. Types are the IR's own words, never Python's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
    """A parameter that a component takes. `optional`: it need not be given. `inside`: what is in it, level by level, as far as
    the annotation says (`List[Dict[str, int]]` is a LIST with STRUCT and NUMBER_INTEGER inside); the IR does not keep that.
    """

    type: ParameterType
    default: JsonValue | _Missing = MISSING
    optional: bool = False
    description: str = ""
    literals: tuple[JsonValue, ...] = ()
    inside: tuple[ParameterType, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class ArtifactInput:
    """An artifact, or a list of them, that a component takes."""

    type: ArtifactType
    is_list: bool = False
    optional: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class ParameterOutput:
    """A parameter that a component puts out. `inside`: as in a ParameterInput."""

    type: ParameterType
    description: str = ""
    inside: tuple[ParameterType, ...] = field(default=(), compare=False)


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


def input_definitions(interface: Interface) -> dict[str, Any]:
    """`inputDefinitions` of the IR; empty where there are no inputs."""
    parameters = {
        name: _parameter_input(each) for name, each in interface.inputs.items() if isinstance(each, ParameterInput)
    }
    artifacts = {name: _artifact(each) for name, each in interface.inputs.items() if isinstance(each, ArtifactInput)}
    return _without_empty(artifacts=artifacts, parameters=parameters)


def output_definitions(interface: Interface) -> dict[str, Any]:
    """`outputDefinitions` of the IR; empty where there are no outputs."""
    parameters = {
        name: _without_empty(parameterType=each.type.value, description=each.description)
        for name, each in interface.outputs.items()
        if isinstance(each, ParameterOutput)
    }
    artifacts = {name: _artifact(each) for name, each in interface.outputs.items() if isinstance(each, ArtifactOutput)}
    return _without_empty(artifacts=artifacts, parameters=parameters)


def from_ir(component: Mapping[str, Any]) -> Interface:
    """The interface of one ComponentSpec of the IR: parameters first, each kind in the spec's order."""
    inputs, outputs = component.get("inputDefinitions") or {}, component.get("outputDefinitions") or {}
    return Interface(
        {
            **{name: _parameter_input_of(each) for name, each in (inputs.get("parameters") or {}).items()},
            **{name: _artifact_input_of(each) for name, each in (inputs.get("artifacts") or {}).items()},
        },
        {
            **{
                name: ParameterOutput(_parameter_type(each), each.get("description", ""))
                for name, each in (outputs.get("parameters") or {}).items()
            },
            **{
                name: ArtifactOutput(
                    _artifact_type(each), each.get("isArtifactList", False), each.get("description", "")
                )
                for name, each in (outputs.get("artifacts") or {}).items()
            },
        },
    )


def undescribed(interface: Interface) -> Interface:
    """INTERFACE without its descriptions."""
    return Interface(
        {name: replace(each, description="") for name, each in interface.inputs.items()},
        {name: replace(each, description="") for name, each in interface.outputs.items()},
    )


def _without_empty(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ("", False, None, {}, [])}


def _parameter_input(each: ParameterInput) -> dict[str, Any]:
    written = {"parameterType": each.type.value}
    if not isinstance(each.default, _Missing) and each.default is not None:  # left out, it is None too
        written["defaultValue"] = each.default  # type: ignore[assignment]  # any JSON
    return written | _without_empty(
        isOptional=each.optional, description=each.description, literals=list(each.literals)
    )


def _artifact(each: ArtifactInput | ArtifactOutput) -> dict[str, Any]:
    return _without_empty(
        artifactType={"schemaTitle": each.type.schema_title, "schemaVersion": each.type.schema_version},
        isArtifactList=each.is_list,
        isOptional=isinstance(each, ArtifactInput) and each.optional,
        description=each.description,
    )


def _parameter_input_of(each: Mapping[str, Any]) -> ParameterInput:
    return ParameterInput(
        _parameter_type(each),
        each.get("defaultValue", MISSING),
        each.get("isOptional", "defaultValue" in each),  # specs of KFP's first betas have the default alone
        each.get("description", ""),
        tuple(each.get("literals", ())),
    )


def _artifact_input_of(each: Mapping[str, Any]) -> ArtifactInput:
    return ArtifactInput(
        _artifact_type(each),
        each.get("isArtifactList", False),
        each.get("isOptional", False),
        each.get("description", ""),
    )


OLD_TYPES: Final = {"INT": "NUMBER_INTEGER", "DOUBLE": "NUMBER_DOUBLE", "STRING": "STRING"}
"""`type` of specs that were compiled before `parameterType` was there."""


def _parameter_type(each: Mapping[str, Any]) -> ParameterType:
    return ParameterType(each.get("parameterType") or OLD_TYPES[each["type"]])


def _artifact_type(each: Mapping[str, Any]) -> ArtifactType:
    type_ = each.get("artifactType") or {}
    return ArtifactType(type_.get("schemaTitle", "system.Artifact"), type_.get("schemaVersion", "0.0.1"))
