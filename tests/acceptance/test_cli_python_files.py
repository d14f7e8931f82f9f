"""Pipelines as Python files on the whole platform: run, resume, validate and diff take the file itself, KFP's files too."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.platforms import HEADRACE, Platform, platform_environment

FLOW = """
from headrace import dsl


@dsl.component
def greet(name: str) -> str:
    print("greeting", name)
    return f"Hello, {name}!"


@dsl.component
def count(text: str) -> int:
    return len(text)


@dsl.pipeline
def hello(name: str = "Ada") -> int:
    return count(text=greet(name=name).output).output


@dsl.pipeline
def shout(name: str = "Ada") -> str:
    return greet(name=name).output


if __name__ == "__main__":
    raise SystemExit("the file is imported, not run")
"""
KFP = """
import kfp
from kfp import compiler, dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def write(text: str, data: Output[Dataset]):
    with open(data.path, "w") as file:
        file.write(text)
    data.metadata["by"] = "us"


@dsl.component
def read(data: Input[Dataset]) -> str:
    import kfp

    assert isinstance(data, kfp.dsl.Dataset)
    with open(data.path) as file:
        return file.read() + " by " + data.metadata["by"]


@dsl.pipeline(name="unchanged")
def unchanged(text: str = "written") -> str:
    return read(data=write(text=text).outputs["data"]).output


if __name__ == "__main__":
    compiler.Compiler().compile(unchanged, "unchanged.yaml")
    kfp.Client().create_run_from_pipeline_func(unchanged)
"""


def headrace(platform: Platform, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(HEADRACE), *arguments, "--endpoint", platform.url],
        env=platform_environment(platform.home, "127.0.0.1:0", "127.0.0.1:0", {}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "theirs.py").write_text(KFP)
    return tmp_path


def test_run_and_resume_a_file(platform: Platform, folder: Path):
    done = headrace(platform, folder, "run", "flow.py:hello", "-p", "name=Grace", "-o", "json")
    first = told(done)
    assert done.returncode == 0, done.stderr
    assert (first["state"], first["outputs"]) == ("SUCCEEDED", {"Output": 13})
    assert not (folder / "flow.yaml").exists()
    changed = FLOW.replace("return len(text)", "return -len(text)")
    (folder / "flow.py").write_text(changed)
    second = told(headrace(platform, folder, "resume", first["run_id"], "flow.py", "--pipeline", "hello", "-o", "json"))
    assert second["outputs"] == {"Output": -13}
    linked = {task["path"]: bool(task["linked_from"]) for task in second["tasks"]}
    assert linked == {"greet": True, "count": False}


def test_which_pipeline_must_be_said(platform: Platform, folder: Path):
    done = headrace(platform, folder, "run", "flow.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("headrace: flow.py has 2 pipelines: hello, shout; say which one, such as flow.py:hello\n")


def test_a_file_of_kfps_unchanged(platform: Platform, folder: Path):
    refused = headrace(platform, folder, "run", "theirs.py")
    assert refused.returncode == 2
    assert "with --as-kfp Headrace answers for it" in refused.stderr
    done = headrace(platform, folder, "run", "theirs.py", "--as-kfp", "-p", "text=ours", "-o", "yaml")
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)
    assert (found["state"], found["outputs"]) == ("SUCCEEDED", {"Output": "ours by us"})


def test_the_checks_of_a_platform_on_a_file(platform: Platform, folder: Path):
    done = headrace(platform, folder, "validate", "flow.py:hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, "flow.py:hello is valid\n", "")


def test_diff_with_a_version_on_the_platform(platform: Platform, folder: Path):
    name = f"diffed-{os.urandom(4).hex()}"
    assert headrace(platform, folder, "pipelines", "upload", "flow.py:hello", "--name", name).returncode == 0
    same = headrace(platform, folder, "diff", "flow.py:hello", name)
    assert (same.returncode, same.stdout) == (0, f"flow.py:hello and {name} mean the same\n"), same.stderr
    other = headrace(platform, folder, "diff", name, "flow.py:shout", "-o", "json")
    assert other.returncode == 1, other.stderr
    assert told(other)["same"] is False
    missing = headrace(platform, folder, "diff", name, f"{name}-2")
    assert missing.returncode == 2
    assert missing.stderr.startswith(f"headrace: there is no file {name}-2, and on the platform: there is no pipeline ")
    unknown = headrace(platform, folder, "diff", name, f"{name}@none")
    assert unknown.returncode == 2
    assert "the pipeline has no version 'none'" in unknown.stderr
