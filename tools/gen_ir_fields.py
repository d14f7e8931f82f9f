"""Writes sdk/headrace/comparing/fields.py: the fields of the IR's messages, from `kfp-pipeline-spec` and from our table of
Kubernetes settings (`make generate`); --check compares. The SDK itself never needs either.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kfp.pipeline_spec import pipeline_spec_pb2

from headrace_ir.kubernetes_fields import MESSAGES, camel

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "sdk" / "headrace" / "comparing" / "fields.py"
ROOTS = ("PipelineSpec", "PlatformSpec", "PipelineDeploymentConfig")
# Fields that the IR declares as a Struct, although it is known what stands in them.
TOLD = {
    ("PipelineSpec", "deploymentSpec"): "PipelineDeploymentConfig",
    ("PlatformDeploymentConfig", "executors"): "{KubernetesExecutorConfig}",
}
# Kubernetes settings that differ between "not said" and "said to be nothing" (`optional` in the official messages).
SAID = {
    "optional", "constant", "component_input_parameter", "task_output_parameter", "toleration_seconds", "weight", "anti",
    "run_as_user", "run_as_group", "run_as_non_root", "medium", "size_limit",
}  # fmt: skip
HEAD = '''"""The fields of the IR's messages, by the names that YAML and JSON have for them. Made by `make generate`; do not edit.

Kinds: text, boolean, integer, number, duration, json (a value of the author's own, kept as it is), `enum:` and its names in
order, or a message; `[…]` a list, `{…}` a map by name; `?` at the end: being there with nothing in it differs from being absent.
"""

from __future__ import annotations

from typing import Final

'''


def known() -> dict[str, dict[str, str]]:
    """Message → field → kind, for all that a package can hold."""
    found: dict[str, dict[str, str]] = {}
    waiting = [pipeline_spec_pb2.DESCRIPTOR.message_types_by_name[name] for name in ROOTS]
    while waiting:
        message = waiting.pop(0)
        if name_of(message) not in found:
            found[name_of(message)] = {field.json_name: kind(message, field) for field in message.fields}
            waiting += [one for field in message.fields for one in inner(field)]
    for name, fields in MESSAGES.items():
        found[name] = {camel(field): kubernetes_kind(field, of) for field, of in fields.items()}
    return found


def name_of(message: Descriptor) -> str:
    return message.full_name.partition(".")[2]


def inner(field: FieldDescriptor) -> Iterator[Descriptor]:
    """The messages of ours that a field leads to."""
    message = value_of(field).message_type
    if message is not None and message.full_name.startswith("ml_pipelines."):
        yield message


def value_of(field: FieldDescriptor) -> FieldDescriptor:
    """What a map's entries hold; of other fields, the field itself."""
    message = field.message_type
    return message.fields_by_name["value"] if message is not None and message.GetOptions().map_entry else field


def kind(message: Descriptor, field: FieldDescriptor) -> str:
    told = TOLD.get((name_of(message), field.json_name))
    if told:
        return told
    base = plain(value_of(field))
    if value_of(field) is not field:
        return f"{{{base}}}"
    if field.is_repeated:
        return f"[{base}]"
    return base + "?" * (field.containing_oneof is not None)


def plain(field: FieldDescriptor) -> str:
    if field.enum_type is not None:
        return "enum:" + "|".join(value.name for value in sorted(field.enum_type.values, key=lambda one: one.number))
    if field.message_type is not None:
        full = field.message_type.full_name
        special = {"google.protobuf.Duration": "duration"}
        return special.get(full, "json" if full.startswith("google.") else name_of(field.message_type))
    scalars = {field.TYPE_STRING: "text", field.TYPE_BOOL: "boolean", field.TYPE_DOUBLE: "number"}
    return scalars.get(field.type, "integer")


def kubernetes_kind(field: str, of: str) -> str:
    of = of.partition("|")[0].replace("integer32", "integer")
    return ("{text}" if of == "texts" else of) + "?" * (field in SAID)


def module() -> str:
    """The whole file."""
    lines = ["FIELDS: Final[dict[str, dict[str, str]]] = {"]
    for name, fields in known().items():
        lines.append(f'    "{name}": {{')
        lines += [f'        "{field}": {text(of, 110 - len(field))},' for field, of in fields.items()]
        lines.append("    },")
    return HEAD + "\n".join([*lines, "}", ""])


def text(value: str, room: int) -> str:
    """A literal; the names of an enum are put on lines of their own where they are many."""
    if len(value) + 2 <= room:
        return f'"{value}"'
    *firsts, last = value.split("|")
    lines = [f'            "{name}|"' for name in firsts] + [f'            "{last}"', "        )"]
    return "\n".join(["(", *lines])


def main() -> int:
    """Write the module, or say that it is stale."""
    made = module()
    if "--check" not in sys.argv:
        TARGET.write_text(made, encoding="utf-8")
        return 0
    if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != made:
        print(f"{TARGET.name} is not what the IR's messages give: run `make generate` and commit the result")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
