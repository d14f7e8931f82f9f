"""A package under another name, or with other defaults for its inputs. Pure; the package that is given stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from headrace.compiler.package import Package
from headrace.dsl.mistakes import mistake

Json = dict[str, Any]

_KINDS: Final[Mapping[str, tuple[type | tuple[type, ...], str]]] = {
    "STRING": (str, "text"),
    "NUMBER_INTEGER": (int, "whole number"),
    "NUMBER_DOUBLE": ((int, float), "number"),
    "BOOLEAN": (bool, "boolean"),
    "LIST": (list, "list"),
    "STRUCT": (dict, "dict"),
}


def overridden(package: Package, name: str | None, display_name: str | None, parameters: Mapping[str, Any]) -> Package:
    """PACKAGE named NAME, displayed as DISPLAY_NAME, with PARAMETERS as defaults of its inputs; None: as it was."""
    if name is None and display_name is None and not parameters:
        return package
    info = dict(package.spec["pipelineInfo"])
    if name is not None:
        info["name"] = name
    if display_name is not None:
        info["displayName"] = display_name
    spec = {**package.spec, "pipelineInfo": info}
    if parameters:
        spec["root"] = _with_defaults(package, parameters)
    return Package(spec, package.platform)


def _with_defaults(package: Package, parameters: Mapping[str, Any]) -> Json:
    root: Json = dict(package.spec["root"])
    inputs = root.get("inputDefinitions", {})
    known = dict(inputs.get("parameters", {}))
    for name, value in parameters.items():
        if name in inputs.get("artifacts", {}):
            raise mistake(
                f"{name!r} of the pipeline {package.name!r} is an artifact, which has no default; give it with the run."
            )
        if name not in known:
            named = ", ".join(sorted(known)) or "none"
            raise mistake(f"The pipeline {package.name!r} has no parameter {name!r}; it has: {named}.")
        if value is not None:
            _check(package, name, known[name]["parameterType"], value)
            known[name] = {**known[name], "defaultValue": value}
    if known:
        root["inputDefinitions"] = {**inputs, "parameters": known}
    return root


def _check(package: Package, name: str, kind: str, value: Any) -> None:
    if kind not in _KINDS:
        return
    types, called = _KINDS[kind]
    if not isinstance(value, types) or (isinstance(value, bool) and kind != "BOOLEAN"):
        raise mistake(f"{name!r} of the pipeline {package.name!r} is a {called}, but its default is to be {value!r}.")
