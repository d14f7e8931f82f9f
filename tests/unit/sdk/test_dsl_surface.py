"""The surface is that of `kfp.dsl` 2.17.3 (kfp_dsl_surface.json): every name, every parameter by name and place; ours has more.

- what needs the standard library alone is all that a star import gives in a container
- nothing is imported before it is used
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace import components, dsl

SURFACE = json.loads((Path(__file__).parent / "kfp_dsl_surface.json").read_text())
OURS = {"EmbeddedInput", "OUTPUT", "graph_component"}


def test_every_name_is_there() -> None:
    assert set(SURFACE["names"]) | OURS == set(dsl.__all__)
    assert [name for name in dsl.__all__ if getattr(dsl, name, None) is None] == []
    assert set(dsl.__all__) <= set(dir(dsl))


def test_a_name_that_there_is_not() -> None:
    with pytest.raises(AttributeError, match=r"^module 'headrace\.dsl' has no attribute 'containers'$"):
        dsl.containers  # noqa: B018


@pytest.mark.parametrize("name", SURFACE["parameters"])
def test_parameters_have_the_names_and_places_of_kfps(name: str) -> None:
    found: Any = components if name.startswith("components.") else dsl
    for part in name.removeprefix("components.").split("."):
        found = getattr(found, part)
    theirs = SURFACE["parameters"][name]
    assert list(inspect.signature(found).parameters)[: len(theirs)] == theirs


def test_in_a_container_a_star_import_gives_what_runs_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_HEADRACE_RUNTIME", "true")
    names = dsl.__all__
    assert "Artifact" in names
    assert "run_notebook" in names
    assert not {"component", "pipeline", "If", "importer"} & set(names)


@pytest.mark.parametrize(
    ("program", "loaded"),
    [
        ("import headrace", ["headrace"]),
        ("from headrace import dsl", ["headrace", "headrace.dsl"]),
    ],
)
def test_nothing_is_imported_before_it_is_used(program: str, loaded: list[str]) -> None:
    program += "; import sys; print(sorted(name for name in sys.modules if name.startswith('headrace')))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(loaded)


def test_defining_a_component_needs_no_library() -> None:
    program = (
        "import sys, linecache; from headrace import dsl; before = set(sys.modules)\n"
        "dsl.component, dsl.pipeline, dsl.container_component\n"
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['headrace']"
