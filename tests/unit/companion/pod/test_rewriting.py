"""What is larger than an argument may be goes by file, and means the same: the rewritten commands are run by a real shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from builders.launches import HEADER, PROGRAM, ours
from headrace_companion.lightweight import recognise
from headrace_companion.pod.packages import sharing
from headrace_companion.pod.rewriting import by_file

SOURCE = "def work():\n    return 1\n"
TELL = "import json, sys\nprint(json.dumps([len(a) for a in sys.argv[1:]] + [open(sys.argv[2]).read()[-20:]]))\n"


def kfp(source: str, given: str) -> tuple[str, ...]:
    return ("sh", "-ec", PROGRAM, HEADER + source, "--executor_input", given, "--function_to_execute", "work")


@pytest.fixture
def stand_in(tmp_path):
    """A module in the place of KFP's runtime that says what it was given."""
    folder = tmp_path / "path" / "kfp" / "dsl"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "__init__.py").touch()
    (folder / "executor_main.py").write_text(TELL)
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path / "path"),
        "HOME": str(tmp_path),
    }


def run(argv, env) -> list:
    said = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    return json.loads(said.stdout)


@pytest.mark.parametrize("source", [SOURCE, SOURCE + "#" * 200_000 + "\n"])
@pytest.mark.parametrize("given", ["{}", json.dumps({"x": "y" * 200_000})])
def test_kfps_component_gets_the_same_by_file(tmp_path, stand_in, source, given):
    argv = kfp(source, given)
    rewritten = by_file(argv, argv, tmp_path)
    for path, text in rewritten.files.items():
        path.write_text(text)
    assert all(len(word) < 128 * 1024 for word in rewritten.argv)
    assert (rewritten.argv == argv) is (len(source) + len(given) < 1000)
    option, path, _, taken, *rest, tail = run(rewritten.argv, stand_in)
    assert (option, taken, rest) == (len("--component_module_path"), len(given), [21, 4])
    assert tail == (HEADER + source)[-20:]


def test_ours_gets_its_source_by_file(tmp_path):
    argv = tuple(ours("def work():\n    return 1\n" + "#" * 200_000 + "\n", "work"))
    argv = (*argv[: argv.index("{{$}}")], "{}", *argv[argv.index("{{$}}") + 1 :])
    assert recognise(argv) is not None
    rewritten = by_file(argv, argv, tmp_path)
    assert rewritten.argv[3] == ""
    assert rewritten.argv[-2:] == ("--component_module_path", str(tmp_path / "component.py"))
    assert all(len(word) < 128 * 1024 for word in rewritten.argv)
    (text,) = rewritten.files.values()
    assert text == argv[3]


def test_what_is_not_recognised_stays(tmp_path):
    argv = ("python", "-c", "x" * 200_000)
    assert by_file(argv, argv, tmp_path).argv == argv


def test_sharing_changes_the_script_alone(tmp_path):
    argv = tuple(ours(SOURCE, "work"))
    argv = (*argv[: argv.index("{{$}}")], "{}", *argv[argv.index("{{$}}") + 1 :])
    component = recognise(argv)
    assert component is not None
    shared = sharing(component, argv, tmp_path)
    assert (*shared[:2], *shared[3:]) == (*argv[:2], *argv[3:])
    assert shared[2].count("unset PIP_USER\n") == 1
    assert "PIP_USER=0 install --no-deps" in shared[2]
    subprocess.run(["sh", "-n", "-c", shared[2]], check=True)
