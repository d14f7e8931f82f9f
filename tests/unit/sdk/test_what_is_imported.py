"""What each import brings in, by module: time follows from it. bench/imports.py measures the time."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

HEAVY = {"asyncio", "email", "google", "grpc", "http", "ssl", "subprocess", "tarfile", "urllib.request", "yaml"}
CONTAINER = {"artifacts", "annotations", "constants", "final_status", "notebooks", "task_config"}


def loaded(statement: str, **env: str) -> set[str]:
    """The modules that STATEMENT brings in beyond what an interpreter has anyway."""
    code = f"import json, sys\nbefore = set(sys.modules)\n{statement}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] == "headrace"}


def foreign(modules: set[str]) -> set[str]:
    """Neither ours nor the standard library's."""
    return {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names) - {"headrace"}


def test_headrace_alone_is_one_module() -> None:
    modules = loaded("import headrace")
    assert ours(modules) == {"headrace"}
    assert not foreign(modules)
    assert not modules & HEAVY


def test_dsl_in_a_component_is_two_modules() -> None:
    modules = loaded("from headrace import dsl")
    assert ours(modules) == {"headrace", "headrace.dsl"}
    assert not foreign(modules)
    assert not modules & HEAVY


def test_a_components_module_brings_what_a_container_needs() -> None:
    prelude = "import headrace\nfrom headrace import dsl\nfrom headrace.dsl import *\nfrom typing import *"
    modules = loaded(prelude, _HEADRACE_RUNTIME="true")
    assert ours(modules) == {"headrace", "headrace.dsl", *(f"headrace.dsl.{name}" for name in CONTAINER)}
    assert not foreign(modules)
    assert not modules & HEAVY


def test_the_runtime_needs_the_standard_library_alone() -> None:
    modules = loaded("import headrace.runtime.command_line")
    assert ours(modules) == {
        "headrace", "headrace.dsl", "headrace.dsl.annotations", "headrace.dsl.artifacts", "headrace.dsl.constants",
        *(f"headrace.runtime{name}" for name in (
            "", ".arguments", ".command_line", ".executing", ".foreign", ".loading", ".mistakes", ".results", ".task_input",
        )),
    }  # fmt: skip
    assert not foreign(modules)
    assert not modules & HEAVY


@pytest.mark.parametrize(
    "statement", ["import headrace.kfp_alias", "from headrace import compiler, dsl; dsl.component"]
)
def test_defining_needs_neither_the_wire_nor_yaml(statement: str) -> None:
    modules = loaded(statement)
    assert not foreign(modules)
