"""What a component takes and gives, as the IR's definitions. Pure.

Called by `compiling` for the pipeline itself and for each task's component; the opposite way is `headrace.dsl.from_ir`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.dsl.interface import (
    ArtifactInput,
    ArtifactOutput,
    ArtifactType,
    Input,
    Interface,
    Output,
    ParameterInput,
    _Missing,
)

Json = dict[str, Any]


def interface_ir(interface: Interface) -> Json:
    """INTERFACE's `inputDefinitions` and `outputDefinitions`, where there are any."""
    spec: Json = {}
    inputs = _parted({name: _input(one) for name, one in interface.inputs.items() if not _is_embedded(one)})
    outputs = _parted({name: _output(one) for name, one in interface.outputs.items()})
    if inputs:
        spec["inputDefinitions"] = inputs
    if outputs:
        spec["outputDefinitions"] = outputs
    return spec


def definitions(parts: Mapping[str, Json]) -> Json:
    """PARTS, definitions of parameters and artifacts by name, as `inputDefinitions` and `outputDefinitions` hold them."""
    return _parted(parts)


def _is_embedded(one: Input) -> bool:
    return isinstance(one, ArtifactInput) and one.embedded


def _parted(parts: Mapping[str, Json]) -> Json:
    result: Json = {}
    for name, one in parts.items():
        result.setdefault("artifacts" if "artifactType" in one else "parameters", {})[name] = one
    return result


def _input(one: Input) -> Json:
    spec = _parameter(one) if isinstance(one, ParameterInput) else _artifact(one.type, one.is_list)
    if one.optional:
        spec["isOptional"] = True
    return _described(spec, one.description)


def _parameter(one: ParameterInput) -> Json:
    spec: Json = {"parameterType": str(one.type)}
    if not isinstance(one.default, _Missing) and one.default is not None:
        spec["defaultValue"] = one.default
    if one.literals:
        spec["literals"] = list(one.literals)
    return spec


def _output(one: Output) -> Json:
    if isinstance(one, ArtifactOutput):
        return _described(_artifact(one.type, one.is_list), one.description)
    return _described({"parameterType": str(one.type)}, one.description)


def _artifact(kind: ArtifactType, is_list: bool) -> Json:
    spec: Json = {"artifactType": {"schemaTitle": kind.schema_title, "schemaVersion": kind.schema_version}}
    if is_list:
        spec["isArtifactList"] = True
    return spec


def _described(spec: Json, description: str) -> Json:
    if description:
        spec["description"] = description
    return spec
