"""The command of a Python component: what it says of packages, and that `sh` runs it with the runtime that is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headrace import __version__
from headrace.compiler import bootstrap
from headrace.compiler.bootstrap import Settings, containerized, lightweight, read
from headrace.compiler.module_texts import module_source

SOURCE = module_source(
    """
def join(a: str, n: int = 2) -> str:
    return a * n
"""
)
RUNTIME = ["--version", __version__, "--runtime", f"headrace=={__version__}"]


def task(folder: Path, **parameters: object) -> str:
    outputs = {"parameters": {"Output": {"outputFile": f"{folder}/Output"}}, "outputFile": f"{folder}/out/output.json"}
    return json.dumps({"inputs": {"parameterValues": parameters}, "outputs": outputs})


def shells() -> list[list[str]]:
    found = [[path] for name in ("sh", "dash", "bash") if (path := shutil.which(name))]
    busybox = shutil.which("busybox")
    return [*found, *([[busybox, "sh"]] if busybox else [])]


@pytest.mark.parametrize("shell", shells(), ids=lambda words: Path(words[0]).name)
def test_the_runtime_that_is_there_is_used(shell: list[str], tmp_path: Path) -> None:
    command, args = lightweight("join", SOURCE, Settings())
    words = [*shell, *command[1:], *args]
    words[words.index("{{$}}")] = task(tmp_path, a='x"y\n')
    env = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PIP_NO_INDEX": "1"}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "out/output.json").read_text()) == {"parameterValues": {"Output": 'x"y\nx"y\n'}}


def test_the_command_reads_as_what_it_says() -> None:
    settings = Settings(["pandas>=2"], ["https://a", "https://b"], use_venv=True)
    command, args = lightweight("join", SOURCE, settings)
    assert args == ["--executor_input", "{{$}}", "--function_to_execute", "join"]
    options = ("--index-url", "https://a", "--extra-index-url", "https://b")
    hosts = ("--trusted-host", "https://a", "--trusted-host", "https://b")
    assert read(command) == bootstrap.Bootstrap(
        SOURCE, ("pandas>=2",), options + hosts, True, False, __version__, f"headrace=={__version__}"
    )
    assert read(["sh", "-ec", "echo", *command[3:]]) is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(), RUNTIME),
        (Settings(pip_index_urls=["u"], pip_trusted_hosts=[]), ["--index-url", "u", *RUNTIME]),
        (Settings(pip_trusted_hosts=["h"]), RUNTIME),
        (Settings(["headrace==0.0.9"]), ["--package", "headrace==0.0.9", "--version", __version__]),
        (Settings(install_kfp_package=False), ["--version", __version__]),
        (Settings(kfp_package_path="./here"), ["--runtime", "./here"]),
        (Settings(as_kfp=True, install_kfp_package=False), ["--as-kfp", *RUNTIME]),
        (Settings(as_kfp=True, kfp_package_path="kfp==2.9"), ["--package", "kfp==2.9", "--as-kfp", *RUNTIME]),
    ],
)
def test_settings_become_words(settings: Settings, words: list[str]) -> None:
    assert settings.words() == words


def test_a_containerized_component_runs_from_its_image() -> None:
    assert containerized("f", Settings()) == (["python3", "-m", "headrace.runtime"], bootstrap.args_of("f"))
    assert containerized("f", Settings(as_kfp=True))[0] == ["python3", "-m", "kfp.dsl.executor_main"]
    command, _ = containerized("f", Settings(["pandas"]))
    assert read(command) == bootstrap.Bootstrap("", ("pandas",), version=__version__)


def test_a_component_that_must_not_install_a_runtime_says_so(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    command, args = lightweight("join", SOURCE, Settings(install_kfp_package=False))
    env = {"PATH": f"{tmp_path}/venv/bin:{os.environ['PATH']}"}
    done = subprocess.run([*command, *args], env=env, capture_output=True, text=True, check=False)
    said = f"headrace: the image has no headrace.runtime {__version__}, and the component says not to install it\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_without_python_one_sentence(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "mktemp").symlink_to(str(shutil.which("mktemp")))
    command, args = lightweight("join", SOURCE, Settings())
    sh = str(shutil.which("sh"))
    done = subprocess.run(
        [sh, *command[1:], *args], env={"PATH": str(tools)}, capture_output=True, text=True, check=False
    )
    assert done.stderr == "headrace: the image has no Python: choose a base_image that has\n"


def test_an_old_python_is_one_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.8.18 && exit\nexit 1\n')
    old.chmod(0o755)
    command, args = lightweight("join", SOURCE, Settings())
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([*command, *args], env=env, capture_output=True, text=True, check=False)
    said = "headrace: Python 3.8.18 is too old: components need Python 3.9 or newer, choose another base_image\n"
    assert done.stderr == said


def test_what_kfp_local_looks_for_is_in_the_script() -> None:
    assert "kfp.dsl.executor_main" in bootstrap.SCRIPT
    assert '"$program_path/ephemeral_component.py"' in bootstrap.SCRIPT
    assert '"$@"' in bootstrap.SCRIPT
    assert "import kfp" not in bootstrap.SCRIPT  # it parses an element with these words as a component's source
    assert bootstrap.SCRIPT.count("python3") == 1  # the one that it replaces by the path of an interpreter
