"""The comment at the top of a compiled file: name, description, inputs and outputs of the pipeline, as KFP writes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_KINDS: Final = {
    "STRING": "str",
    "NUMBER_INTEGER": "int",
    "NUMBER_DOUBLE": "float",
    "LIST": "list",
    "STRUCT": "dict",
    "BOOLEAN": "bool",
    "TASK_FINAL_STATUS": "PipelineTaskFinalStatus",
    "TASK_CONFIG": "TaskConfig",
}


def comment(spec: Mapping[str, Any], description: str) -> str:
    """The lines that stand above SPEC."""
    lines = ["# PIPELINE DEFINITION", f"# Name: {spec['pipelineInfo']['name']}"]
    if description:
        lines.append("# Description: " + "\n#              ".join(description.splitlines()))
    for heading, key in (("Inputs", "inputDefinitions"), ("Outputs", "outputDefinitions")):
        definitions = spec["root"].get(key)
        if definitions:
            lines.append(f"# {heading}:")
            lines += _signature(definitions)
    return "\n".join(lines) + "\n"


def _signature(definitions: Mapping[str, Any]) -> list[str]:
    lines = {}
    for name, one in definitions.get("parameters", {}).items():
        kind = one["parameterType"]
        lines[name] = f"#    {name}: {_KINDS.get(kind, kind)}"
        if "defaultValue" in one:
            lines[name] += f" [Default: {_default(one['defaultValue'])}]"
    for name, one in definitions.get("artifacts", {}).items():
        lines[name] = f"#    {name}: {one['artifactType'].get('schemaTitle', 'artifact')}"
    return [lines[name] for name in sorted(lines)]


def _default(value: Any) -> str:
    """VALUE on one line that cannot end the comment."""
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return " ".join(text.splitlines())
