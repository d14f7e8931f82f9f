"""A package changed for where its Python components run: with this interpreter, or in this very process. Pure.

Only the commands of executors change, so that the platform drives the run as always. Called by `preparing` and `inline`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.compiler import bootstrap
from headrace.compiler.package import Package

Json = dict[str, Any]
HERE = (sys.executable, "-m", "headrace.runtime")
CLAIMS = ("argostub/createpvc", "argostub/deletepvc")  # operations of the platform, no containers


@dataclass(frozen=True, slots=True)
class PythonExecutor:
    """An executor that runs a function of a source text. `as_kfp`: the text may import KFP's SDK."""

    label: str
    source: str
    function: str
    packages: tuple[str, ...]
    as_kfp: bool


def python_executors(package: Package) -> list[PythonExecutor]:
    """Those of a package."""
    found = (_python(label, executor) for label, executor in _executors(package).items())
    return [one for one in found if one is not None]


def containers(package: Package) -> list[str]:
    """Labels of executors that run a container of the author's."""
    return [
        label
        for label, executor in _executors(package).items()
        if "container" in executor
        and executor["container"].get("image") not in CLAIMS
        and _python(label, executor) is None
    ]


def in_this_environment(package: Package, written: Callable[[str], str]) -> Package:
    """Components without packages of their own run with this interpreter. WRITTEN gives the file of a source."""
    commands = {
        one.label: [*HERE, "--component_module_path", written(one.source), *(["--as_kfp"] if one.as_kfp else [])]
        for one in python_executors(package)
        if not one.packages
    }
    return with_commands(package, commands)


def with_commands(package: Package, commands: Mapping[str, list[str]]) -> Package:
    """The executors of these labels run these commands; their arguments stay."""
    executors = {
        label: {**executor, "container": {**executor["container"], "command": commands[label]}}
        if label in commands
        else executor
        for label, executor in _executors(package).items()
    }
    deployment = {**package.spec["deploymentSpec"], "executors": executors}
    return Package({**package.spec, "deploymentSpec": deployment}, package.platform)


def _executors(package: Package) -> Json:
    executors: Json = package.spec.get("deploymentSpec", {}).get("executors", {})
    return executors


def _python(label: str, executor: Json) -> PythonExecutor | None:
    container = executor.get("container", {})
    command, arguments = container.get("command") or [], container.get("args") or []
    if len(arguments) != 4 or arguments[2] != "--function_to_execute":
        return None
    ours = bootstrap.read(command)
    if ours is not None and ours.source:
        return PythonExecutor(label, ours.source, arguments[3], ours.packages, ours.as_kfp)
    source = _source_of_kfp(command)
    # KFP's command always installs its own package, so that it has an environment of its own.
    return PythonExecutor(label, source, arguments[3], ("kfp",), True) if source else None


def _source_of_kfp(command: list[str]) -> str:
    """The source in a command that KFP's SDK wrote; "" in others."""
    for at, word in enumerate(command[:-3]):
        if word == "sh" and command[at + 1] == "-ec" and "kfp.dsl.executor_main" in command[at + 2]:
            return command[at + 3]
    return ""
