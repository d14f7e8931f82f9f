"""Reads HEADRACE_POD_DEFAULTS: a JSON file with what an operator wants on every task's Pod (labels, tolerations, …)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from headrace_scheduler.executors.kubernetes.options import PodDefaults
from headrace_servicekit.settings import SettingsError

OBJECT: Final = "an object"
# Kubernetes' name of each → ours, and what it must be.
FIELDS: Final[dict[str, tuple[str, str]]] = {
    "labels": ("labels", OBJECT),
    "annotations": ("annotations", OBJECT),
    "nodeSelector": ("node_selector", OBJECT),
    "tolerations": ("tolerations", "a list of objects"),
    "imagePullSecrets": ("pull_secrets", "a list of names"),
    "priorityClassName": ("priority_class", "a text"),
    "runtimeClassName": ("runtime_class", "a text"),
    "schedulerName": ("scheduler_name", "a text"),
    "resources": ("resources", OBJECT),
    "companionResources": ("companion_resources", OBJECT),
    "workspace": ("workspace", OBJECT),
}


def read_defaults(file: str) -> PodDefaults:
    """The file's defaults; "" = none. Raises SettingsError."""
    if not file:
        return PodDefaults()
    try:
        held = json.loads(Path(file).read_text())
    except (OSError, ValueError) as wrong:
        raise SettingsError(f"HEADRACE_POD_DEFAULTS: {file} cannot be read as JSON: {wrong}") from None
    if not isinstance(held, dict):
        raise SettingsError(f"HEADRACE_POD_DEFAULTS: {file} must hold an object")
    if unknown := sorted(set(held) - set(FIELDS)):
        raise SettingsError(
            f"HEADRACE_POD_DEFAULTS: {file} has {', '.join(unknown)}; there are {', '.join(sorted(FIELDS))}"
        )
    return PodDefaults(**{FIELDS[name][0]: _value(file, name, value) for name, value in held.items()})


def _value(file: str, name: str, value: Any) -> Any:
    expected = FIELDS[name][1]
    fits = {
        OBJECT: isinstance(value, dict),
        "a text": isinstance(value, str),
        "a list of objects": isinstance(value, list) and all(isinstance(one, dict) for one in value),
        "a list of names": isinstance(value, list) and all(isinstance(one, str) for one in value),
    }
    if not fits[expected]:
        raise SettingsError(f"HEADRACE_POD_DEFAULTS: {name} in {file} must be {expected}")
    return tuple(value) if isinstance(value, list) else value
