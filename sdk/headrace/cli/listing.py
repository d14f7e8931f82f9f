"""What a file defines, as objects and as lines: for `headrace components`. Pure; called by authoring.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headrace.display.texts import Style, fit, one_line

if TYPE_CHECKING:
    from headrace.compiler.package import Package

Json = Mapping[str, Any]
WIDTH = 100  # of a default in a line


def of_component(name: str, package: Package, description: str, *, pipeline: bool) -> dict[str, Any]:
    """One pipeline or component of a Python file, by what it compiles to."""
    spec = package.spec
    if pipeline:
        return _entry(name, "pipeline", spec["root"], {}, description)
    executor: Json = next(iter(spec["deploymentSpec"]["executors"].values()), {})
    component: Json = next(iter(spec["components"].values()), {})
    return _entry(name, _kind(executor), {**spec["root"], **component}, executor, description)


def of_package(package: Package) -> list[dict[str, Any]]:
    """The pipeline of a package, then its components."""
    spec = package.spec
    info = spec.get("pipelineInfo", {})
    found = [_entry(info.get("name", ""), "pipeline", spec.get("root", {}), {}, info.get("description", ""))]
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    for name, component in spec.get("components", {}).items():
        executor = executors.get(component.get("executorLabel", ""), {})
        kind = "pipeline" if "dag" in component else _kind(executor)
        found.append(_entry(name.removeprefix("comp-"), kind, component, executor))
    return found


def _kind(executor: Json) -> str:
    return "importer" if "importer" in executor else "component"


def _entry(name: str, kind: str, component: Json, executor: Json, description: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "description": description,
        "image": executor.get("container", {}).get("image", ""),
        "inputs": _fields(component.get("inputDefinitions", {}), given=True),
        "outputs": _fields(component.get("outputDefinitions", {}), given=False),
    }


def _fields(definitions: Json, *, given: bool) -> list[dict[str, Any]]:
    """GIVEN: inputs, which a call may leave out or not."""
    found = []
    for name, one in definitions.get("parameters", {}).items():
        default = {"default": one["defaultValue"]} if "defaultValue" in one else {}
        field = {"name": name, "type": one.get("parameterType", ""), **default}
        found.append(_completed(field, one, optional=bool(default or one.get("isOptional")), given=given))
    for name, one in definitions.get("artifacts", {}).items():
        listed = {"list": True} if one.get("isArtifactList") else {}
        field = {"name": name, "type": one.get("artifactType", {}).get("schemaTitle", ""), **listed}
        found.append(_completed(field, one, optional=bool(one.get("isOptional")), given=given))
    return found


def _completed(field: dict[str, Any], one: Json, *, optional: bool, given: bool) -> dict[str, Any]:
    described = {"description": one["description"]} if one.get("description") else {}
    return {**field, **({"optional": optional} if given else {}), **described}


def listed(found: list[dict[str, Any]], style: Style) -> list[str]:
    """The lines for people."""
    if not found:
        return ["nothing is defined here: decorate functions with @dsl.component and @dsl.pipeline"]
    lines: list[str] = []
    for one in found:
        name, image = style.paint(one_line(one["name"]), "bold"), style.paint(one_line(one["image"]), "dim")
        lines.append(f"{one['kind']} {name}  {image}".rstrip())
        if one["description"]:
            lines.append(f"  {fit(one_line(one['description']), WIDTH, style.ellipsis)}")
        lines += [
            f"  {direction:<3}  {_line(field, style)}"
            for direction in ("in", "out")
            for field in one[f"{direction}puts"]
        ]
    return lines


def _line(field: dict[str, Any], style: Style) -> str:
    kind = f"list of {field['type']}" if field.get("list") else field["type"]
    text = f"{field['name']}: {kind}"
    if "default" in field:
        text += f" = {fit(json.dumps(field['default'], ensure_ascii=False), WIDTH, style.ellipsis)}"
    elif field.get("optional"):
        text += " (optional)"
    if field.get("description"):
        text += f"  {style.paint(fit(one_line(field['description']), WIDTH, style.ellipsis), 'dim')}"
    return text
