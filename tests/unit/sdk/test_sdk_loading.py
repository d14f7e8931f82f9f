"""A user's Python file as commands import it: under its own name, put back afterwards, and a sentence for each mishap.

- FILE.py:NAME; what a file prints is not our output; `__main__` blocks do not run
- what the file raises is shown without our frames; its mistakes are told in one sentence
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest

from headrace.cli import main
from headrace.cli.loading import BrokenFile, is_python, opened, parted
from headrace.errors import BadInput


def file(folder: Path, text: str, name: str = "flow.py") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_and_a_name_in_it(tmp_path: Path):
    assert parted("a/flow.py:train") == (Path("a/flow.py"), "train")
    assert parted("a/flow.py") == (Path("a/flow.py"), "")
    assert parted("a:b/flow.yaml") == (Path("a:b/flow.yaml"), "")
    odd = file(tmp_path, "", "x.py:y.py")
    assert parted(str(odd)) == (odd, "")
    assert is_python("flow.py:train")
    assert not is_python("flow.yaml")


def test_nothing_is_left_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = file(tmp_path, "import sys\nprint('hello', __name__)\nif __name__ == '__main__':\n    raise SystemExit(3)\n")
    file(tmp_path, "", "beside_flow.py")
    before, modules = list(sys.path), set(sys.modules)
    with opened(path):
        assert sys.path[0] == str(tmp_path)
        assert "flow" in sys.modules
    assert sys.path == before
    assert "flow" not in set(sys.modules) - modules
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "hello flow\n")


def test_a_file_in_a_package_has_its_relative_imports(tmp_path: Path):
    file(tmp_path, "", "team_flows/__init__.py")
    file(tmp_path, "NAME = 'shared'\n", "team_flows/shared.py")
    path = file(tmp_path, "from .shared import NAME\nassert NAME == 'shared'\n", "team_flows/flow.py")
    with opened(path):
        assert "team_flows.flow" in sys.modules


def test_a_file_named_as_a_module_of_python_does_not_take_its_place(tmp_path: Path):
    import json

    with opened(file(tmp_path, "import sys\n", "json.py")):
        assert sys.modules["json"] is json


@pytest.mark.parametrize(("name", "sentence"), [("none.py", "there is no file {}"), ("folder.py", "{} is no file")])
def test_no_file(tmp_path: Path, name: str, sentence: str):
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(BadInput) as failed, opened(tmp_path / name):
        pass
    assert str(failed.value) == sentence.format(tmp_path / name)


def test_what_it_raises_is_shown_without_our_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = file(tmp_path, "def deep():\n    return 1 / 0\n\n\ndeep()\n")
    assert main(["validate", str(path)]) == 2
    lines = capsys.readouterr().err.splitlines(keepends=True)
    said = "".join(line for line in lines if line.strip(" ~^\n"))  # where Python underlines changes with its version
    assert said == (
        "Traceback (most recent call last):\n"
        f'  File "{path}", line 5, in <module>\n'
        "    deep()\n"
        f'  File "{path}", line 2, in deep\n'
        "    return 1 / 0\n"
        "ZeroDivisionError: division by zero\n"
        f"headrace: {path} raised ZeroDivisionError while it was imported\n"
    )


def test_a_file_that_is_no_python(tmp_path: Path):
    path = file(tmp_path, "def broken(:\n")
    with pytest.raises(BrokenFile) as failed, opened(path):
        pass
    assert str(failed.value) == f"{path} raised SyntaxError while it was imported"
    assert failed.value.shown.startswith(f'  File "{path}", line 1\n    def broken(:\n')
    assert "Traceback" not in failed.value.shown


def test_a_script_that_ends_the_process(tmp_path: Path):
    path = file(tmp_path, "import sys\nsys.exit(0)\n")
    with pytest.raises(BadInput) as failed, opened(path):
        pass
    assert str(failed.value) == (
        f'{path} ends the process while it is imported; put what it does as a script under `if __name__ == "__main__":`'
    )


@pytest.mark.parametrize("text", ["from kfp import dsl\n", "import kfp.compiler\n", "import kfp\nkfp.dsl\n"])
def test_a_file_of_kfps_where_kfp_is_not_installed(tmp_path: Path, text: str):
    path = file(tmp_path, text)
    with pytest.raises(BadInput) as failed, opened(path):
        pass
    assert str(failed.value) == (
        f"{path} imports KFP's SDK, which is not installed here; with --as-kfp Headrace answers for it, "
        "or change its imports to headrace"
    )


def test_with_as_kfp_its_imports_are_ours_and_nobody_elses(tmp_path: Path):
    path = file(tmp_path, "import kfp\nfrom kfp import compiler, dsl\nassert kfp.__version__ == '2.17.3'\n")
    with opened(path, as_kfp=True):
        assert "kfp.dsl" in sys.modules
    assert "kfp.dsl" not in sys.modules


def test_warnings_become_lines_each_once(tmp_path: Path):
    path = file(tmp_path, "import warnings\nfor _ in range(3):\n    warnings.warn('old thing', UserWarning)\n")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with opened(path) as source:
            pass
    assert source.told == [f"{path}:3: UserWarning: old thing"]


def test_a_file_without_a_pipeline(tmp_path: Path):
    path = file(tmp_path, "x = 1\n")
    with pytest.raises(BadInput) as failed, opened(path) as source:
        source.chosen()
    assert str(failed.value) == f"{path} defines no pipeline: decorate a function with @dsl.pipeline"


def test_what_kfps_own_sdk_made(tmp_path: Path):
    """Where KFP is installed, its objects are none of ours."""
    path = file(tmp_path, "class Graph:\n    pass\n\n\nGraph.__module__ = 'kfp.dsl.graph_component'\nflow = Graph()\n")
    with pytest.raises(BadInput) as failed, opened(path):
        pass
    assert str(failed.value) == (
        f"what {path} defines was made by KFP's own SDK, which is installed here; with --as-kfp Headrace compiles it"
    )
