"""Completion in shells: the scripts are of the commands that there are, and the real shells take them.

bash runs what it completes; zsh and fish read their scripts where they are installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.cli import main
from headrace.cli.completing import read
from headrace.cli.parsing import OWN_VERBS, parser

COMMAND = [sys.executable, "-m", "headrace"]
DRIVER = """
headrace() { "$PYTHON" -m headrace "$@"; }
source <(headrace completion bash)
compopt() { :; }
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
_headrace
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(folder: Path, *words: str) -> list[str]:
    """What bash proposes for the last of WORDS."""
    bash = shutil.which("bash")
    assert bash is not None, "the tests run their own commands by bash"
    environment = {**os.environ, "PYTHON": sys.executable, "HEADRACE_HOME": str(folder / "home")}
    done = subprocess.run(
        [bash, "--norc", "-c", DRIVER, "bash", "headrace", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in done.stdout.splitlines() if line]


def test_every_command_has_its_place_in_the_tree():
    top = read(parser("1", {"up": "run it"}))
    assert [one.path[0] for one in top.below] == [*OWN_VERBS, "up"]
    runs = next(one for one in top.below if one.path == ("runs",))
    assert {one.path[1] for one in runs.below} >= {"list", "get", "logs"}
    logs = next(one for one in runs.below if one.path == ("runs", "logs"))
    assert [one.kind for one in logs.values] == ["runs"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ru",), ["run", "runs"]),
        (("run", "--as"), ["--as-kfp"]),
        (("run", "pipe"), ["pipeline.py"]),
        (("run", "-p", "x=1", "pipe"), ["pipeline.py"]),
        (("run", "pipeline.py", "-o", ""), ["text", "json", "yaml"]),
        (("run", "pipeline.py", "--output", "=", "js"), ["json"]),
        (("run", "pipeline.py", "--name", ""), []),
        (("runs", "lo"), ["logs"]),
        (("runs", "logs", ""), ["latest"]),
        (("resume", "late"), ["latest"]),
        (("resume", "latest", "pipe"), ["pipeline.py"]),
        (("compile", "--ch"), ["--check"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("serve", "ca"), ["cache"]),
        (("up", "--ho"), ["--home"]),
        (("up", "--home", "da"), ["data"]),
    ],
)
def test_bash_completes(tmp_path: Path, words: tuple[str, ...], expected: list[str]):
    (tmp_path / "pipeline.py").touch()
    (tmp_path / "data").mkdir()
    assert completed(tmp_path, *words) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_names_every_command_and_is_the_same_each_time(shell: str, capsys: pytest.CaptureFixture[str]):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(verb in script for verb in OWN_VERBS)
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == script
    installed = shutil.which(shell)
    if installed is not None:
        subprocess.run([installed, "-n"], input=script, text=True, check=True)


def test_without_a_platform_there_are_no_run_ids(tmp_path: Path):
    environment = {**os.environ, "HEADRACE_HOME": str(tmp_path)}
    done = subprocess.run([*COMMAND, "completion", "runs"], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert done.stderr == ""
