"""Every pipeline of our own corpora, unchanged files for KFP's SDK: built by ours, its tasks and groups have the names, and stand
in the places, that KFP's compiler gave them.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from headrace import kfp_alias
from headrace.dsl.pipelines import GraphComponent

TESTS = Path(__file__).resolve().parents[2]
CORPORA = [TESTS / "differential", TESTS / "gaps"]
AT_LEAST = 100


@pytest.fixture(scope="module")
def built() -> Iterator[dict[str, GraphComponent]]:
    """The pipelines of the corpora by name."""
    found: dict[str, GraphComponent] = {}
    before = set(sys.modules)
    with kfp_alias.installed():
        for corpus in CORPORA:
            sys.path.insert(0, str(corpus / "pipelines"))
            try:
                for file in sorted((corpus / "pipelines").glob("*.py")):
                    for one in vars(loaded(file)).values():
                        if isinstance(one, GraphComponent) and one.pipeline_func.__module__ == file.stem:
                            found[one.name] = one
            finally:
                sys.path.pop(0)
                for name in set(sys.modules) - before:
                    if (corpus / "pipelines" / f"{name}.py").exists():
                        del sys.modules[name]
    return found


def loaded(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def compiled() -> dict[str, Path]:
    return {
        f"{file.parent.parent.name}-{file.stem}": file
        for corpus in CORPORA
        for file in (corpus / "compiled").glob("*.yaml")
    }


def dags(spec: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names of the tasks of each DAG."""
    components = {"root": spec["root"], **spec["components"]}
    return {name: sorted(each["dag"]["tasks"]) for name, each in components.items() if "dag" in each}


def test_the_corpora_are_there():
    assert len(compiled()) >= AT_LEAST


@pytest.mark.parametrize("name", sorted(compiled()))
def test_names_and_places(built: dict[str, GraphComponent], name: str):
    (spec, *_) = yaml.load_all(compiled()[name].read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    pipeline = built.get(spec["pipelineInfo"]["name"])
    assert pipeline is not None, f"no pipeline {spec['pipelineInfo']['name']} was built"
    assert dags(pipeline.pipeline_spec) == dags(spec)
