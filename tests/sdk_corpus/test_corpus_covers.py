"""Every public name of `kfp.dsl`, `kfp.kubernetes`, `kfp.components` and of a task is used by a pipeline of the corpus."""

from __future__ import annotations

import ast
import json
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from fixtures.fix_kfp_peer import peer_environment
from sdk_corpus.compiling import FOLDERS, TESTS

LISTING = """
import json, kfp.dsl, kfp.kubernetes, kfp.components
from kfp.dsl import PipelineTask
named = lambda module: [name for name in getattr(module, "__all__", dir(module)) if not name.startswith("_")]
print(json.dumps({
    "kfp.dsl": named(kfp.dsl), "kfp.kubernetes": named(kfp.kubernetes), "kfp.components": named(kfp.components),
    "PipelineTask": [name for name in dir(PipelineTask) if not name.startswith("_")],
}))
"""
# What no pipeline can use, and why.
NOT_FOR_PIPELINES = {
    "kfp.components.load_component_from_url": "tests/unit/sdk loads one from a server of its own",
    "kfp.components.PythonComponent": "a class for isinstance",
    "kfp.components.ContainerComponent": "a class for isinstance",
    "kfp.components.YamlComponent": "a class for isinstance",
    "kfp.components.BaseComponent": "a class for isinstance",
    "PipelineTask.channel_inputs": "what KFP's compiler reads",
    "PipelineTask.dependent_tasks": "what KFP's compiler reads",
    "PipelineTask.platform_spec": "what KFP's compiler reads",
    "PipelineTask.register_pipeline_channels": "what KFP's compiler calls",
    "PipelineTask.name": "what KFP's compiler reads",
    "PipelineTask.inputs": "what KFP's compiler reads",
}


def used() -> dict[str, set[str]]:
    """Name → the modules of pipelines whose code mentions it."""
    found: dict[str, set[str]] = defaultdict(set)
    for source in (one for folder in FOLDERS for one in (TESTS / folder / "pipelines").glob("*.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name):
                found[node.id].add(source.stem)
            elif isinstance(node, ast.Attribute):
                found[node.attr].add(source.stem)
    return found


def test_every_public_name_is_used(kfp_python: Path):
    command = [kfp_python, "-W", "ignore", "-c", LISTING]
    said = subprocess.run(command, env=peer_environment(), capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    official = {f"{where}.{name}" for where, names in json.loads(said.stdout).items() for name in names}
    inside = used()
    assert sorted(name for name in official - set(NOT_FOR_PIPELINES) if not inside[name.rpartition(".")[2]]) == []
    assert sorted(set(NOT_FOR_PIPELINES) - official) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_corpus_is_there(folder):
    assert list((TESTS / folder / "compiled").glob("*.yaml"))
