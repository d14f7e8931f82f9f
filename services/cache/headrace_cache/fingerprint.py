"""Fingerprints: from a task's ingredients to its key. Pure. The scheduler sends ingredients, only this module makes keys."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from headrace_protos.v1 import cache_pb2

VERSION: Final = 1  # part of every key: a change of what a key means is a miss, never a false hit


def canonical(ingredients: cache_pb2.Ingredients) -> dict[str, Any]:
    """The ingredients as plain values; with a custom key only what names the task's place counts."""
    place = {
        "version": VERSION,
        "namespace": ingredients.namespace,
        "pipeline": ingredients.pipeline_name,
        "component": ingredients.component,
    }
    if ingredients.custom_key:
        return {**place, "custom_key": ingredients.custom_key}
    context = {"context": dict(ingredients.context)} if ingredients.context else {}
    return {
        **place,
        **context,
        "image": ingredients.image,
        "command": list(ingredients.command),
        "args": list(ingredients.args),
        "env": dict(ingredients.env),
        "parameters": dict(ingredients.parameters),
        "artifacts": {name: list(group.contents) for name, group in ingredients.artifacts.items()},
        "output_parameters": dict(ingredients.output_parameters),
        "output_artifacts": dict(ingredients.output_artifacts),
    }


def fingerprint(ingredients: cache_pb2.Ingredients) -> str:
    """Lower-case hex SHA-256 of the canonical form."""
    text = json.dumps(canonical(ingredients), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def first_difference(ours: Any, theirs: Any, path: str = "") -> str:
    """The path of the first field in which two canonical forms differ; "" = none."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted(ours.keys() | theirs.keys()):
            place = f"{path}.{name}" if path else name
            if name not in ours or name not in theirs:
                return place
            deeper = first_difference(ours[name], theirs[name], place)
            if deeper:
                return deeper
        return ""
    return "" if ours == theirs else path


def closeness(ours: Any, theirs: Any) -> int:
    """How many top-level fields agree: the nearest entry has most."""
    return sum(1 for name in ours if name in theirs and ours[name] == theirs[name])
