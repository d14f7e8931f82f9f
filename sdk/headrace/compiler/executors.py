"""What runs for a task: the container executor with the task's own settings in it. Pure.

Called by `compiling` for each task; where a setting is known only when the task runs, a placeholder stands in it.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Final

from headrace.compiler.uses import RESOURCES
from headrace.dsl.marks import filled
from headrace.dsl.tasks import TaskSettings

Json = dict[str, Any]
Placeholders = Mapping[str, Mapping[str, str]]  # by setting, the placeholder of each mark

_UNITS: Final = {
    **{f"{letter}i": 2 ** (10 * power) for power, letter in enumerate("KMGTPE", start=1)},
    **{letter: 10 ** (3 * power) for power, letter in enumerate("KMGTPE", start=1)},
}
_NUMBERS: Final = {
    "cpu_request": "cpuRequest",
    "cpu_limit": "cpuLimit",
    "memory_request": "memoryRequest",
    "memory_limit": "memoryLimit",
}


def container_ir(container: Mapping[str, Any], settings: TaskSettings, placeholders: Placeholders) -> Json:
    """CONTAINER as the task's SETTINGS make it. Shares what it does not change."""
    spec = {key: value for key, value in container.items() if value}
    if "image" in placeholders or settings.image:
        spec["image"] = _text(settings.image, placeholders.get("image"))
    if settings.env:
        env = {one["name"]: one for one in spec.get("env", ())}
        for name, value in settings.env.items():
            env[name] = {"name": name, "value": _text(value, placeholders.get(f"env/{name}"))}
        spec["env"] = list(env.values())
    resources = _resources(settings, placeholders)
    if resources:
        spec["resources"] = {**spec.get("resources", {}), **resources}
    return spec


def _text(value: Any, marks: Mapping[str, str] | None) -> str:
    return str(filled(value, marks)) if marks else str(value)


def _resources(settings: TaskSettings, placeholders: Placeholders) -> Json:
    spec: Json = {}
    for setting, number in _NUMBERS.items():
        value = getattr(settings, setting)
        if value is None:
            continue
        text = _text(value, placeholders.get(setting))
        spec["resource" + number[0].upper() + number[1:]] = text
        if setting not in placeholders:
            spec[number] = cpus(text) if setting.startswith("cpu") else gigabytes(text)
    accelerator = _accelerator(settings, placeholders)
    if accelerator:
        spec["accelerator"] = accelerator
    return spec


def _accelerator(settings: TaskSettings, placeholders: Placeholders) -> Json:
    kind, limit = settings.accelerator_type, settings.accelerator_limit
    if kind is None and limit is None:
        return {}
    spec: Json = {}
    if kind is not None:
        spec["resourceType"] = _text(kind, placeholders.get("accelerator_type"))
        if "accelerator_type" not in placeholders:
            spec["type"] = spec["resourceType"]
    spec["resourceCount"] = _text(1 if limit is None else limit, placeholders.get("accelerator_limit"))
    if "accelerator_limit" not in placeholders and int(spec["resourceCount"]):
        spec["count"] = str(int(spec["resourceCount"]))
    return spec


def cpus(text: str) -> float:
    """TEXT (`500m`, `2`) in cores."""
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def gigabytes(text: str) -> float:
    """TEXT (`512Mi`, `4G`, or bytes) in gigabytes."""
    for length in (2, 1):
        if text[-length:] in _UNITS:
            return float(text[:-length]) * float(_UNITS[text[-length:]]) / 1e9
    return float(text) / 1e9


def dynamic_inputs(settings: TaskSettings, dynamic: Container[str]) -> list[tuple[str, str, Any]]:
    """The inputs by which a task is given its image and resources where they are known only when it runs: the name of the
    input, the setting that it carries, and its value. DYNAMIC: the settings in which channels stand.
    """
    names = {"image": "base_image", **RESOURCES}
    return [(name, setting, getattr(settings, setting)) for setting, name in names.items() if setting in dynamic]
