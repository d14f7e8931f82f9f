"""The fields of Kubernetes settings that we know against the messages of the official `kfp-kubernetes` package."""

from __future__ import annotations

import json

from headrace_ir.kubernetes_fields import MESSAGES
from headrace_ir.schema import shape
from peers.test_examples import run_peer

LISTING = """
import json
from kfp.kubernetes import kubernetes_executor_config_pb2 as module
def visit(descriptor, prefix, found):
    if descriptor.GetOptions().map_entry:
        return
    found[prefix + descriptor.name] = {
        field.name: [field.json_name, field.label == field.LABEL_REPEATED] for field in descriptor.fields
    }
    for nested in descriptor.nested_types:
        visit(nested, prefix + descriptor.name + ".", found)
found = {}
for descriptor in module.DESCRIPTOR.message_types_by_name.values():
    visit(descriptor, "", found)
print(json.dumps(found))
"""
# Operations on claims, which are task inputs and no settings.
OPERATIONS = {"CreatePvc", "DeletePvc", "TypedLocalObjectReference"}


def test_every_official_field_is_known(kfp_python):
    official = json.loads(run_peer(kfp_python, "-c", LISTING))
    for message, fields in official.items():
        if message in OPERATIONS:
            continue
        known = shape(message).fields
        for name, (json_name, repeated) in fields.items():
            assert name in MESSAGES[message], f"{message}.{name}"
            assert known[json_name] is known[name]
            assert (known[name].repeated or known[name].is_map) == repeated, f"{message}.{name}"
