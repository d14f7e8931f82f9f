"""Fingerprints: from a task's ingredients to its key. Pure. The scheduler sends ingredients, only this module makes keys."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from headrace_protos.v1 import cache_pb2

VERSION: Final = 2  # part of every key: a change of what a key means is a miss, never a false hit
FIELDS: Final = (
    *("version", "namespace", "pipeline", "component", "custom_key"),
    *("image", "image_digest", "command", "args", "env", "parameters", "artifacts", "versions"),
    *("output_parameters", "output_artifacts", "context"),
)
"""In the order in which differences are named; what is not there counts as empty."""


def canonical(ingredients: cache_pb2.Ingredients) -> dict[str, Any]:
    """The ingredients as plain values; with a custom key only what names the task's place counts. A component's name counts with
    a custom key alone: what it does is in the other fields, and compilers number names by the order of a pipeline's tasks.
    """
    place = {"version": VERSION, "namespace": ingredients.namespace, "pipeline": ingredients.pipeline_name}
    if ingredients.custom_key:
        return {**place, "component": ingredients.component, "custom_key": ingredients.custom_key}
    made = {
        **place,
        "image": ingredients.image,
        "image_digest": ingredients.image_digest,
        "command": list(ingredients.command),
        "args": list(ingredients.args),
        "env": dict(ingredients.env),
        "parameters": dict(ingredients.parameters),
        "artifacts": {name: list(group.contents) for name, group in ingredients.artifacts.items()},
        "versions": dict(ingredients.versions),
        "output_parameters": dict(ingredients.output_parameters),
        "output_artifacts": dict(ingredients.output_artifacts),
        "context": dict(ingredients.context),
    }
    return {name: value for name, value in made.items() if value or name in place}


def fingerprint(ingredients: cache_pb2.Ingredients) -> str:
    """Lower-case hex SHA-256 of the canonical form."""
    text = json.dumps(canonical(ingredients), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
