"""What components and groups take and give, as the IR's definitions. Pure.

Called by `compiling` for the pipeline itself, for each task's component and for groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.dsl.interface import Interface, input_definitions, output_definitions

Json = dict[str, Any]


def interface_ir(interface: Interface) -> Json:
    """INTERFACE's `inputDefinitions` and `outputDefinitions`, where there are any."""
    spec: Json = {}
    if inputs := input_definitions(interface):
        spec["inputDefinitions"] = inputs
    if outputs := output_definitions(interface):
        spec["outputDefinitions"] = outputs
    return spec


def definitions(parts: Mapping[str, Json]) -> Json:
    """PARTS, definitions of parameters and artifacts by name, as `inputDefinitions` and `outputDefinitions` hold them."""
    result: Json = {}
    for name, one in parts.items():
        result.setdefault("artifacts" if "artifactType" in one else "parameters", {})[name] = one
    return result
