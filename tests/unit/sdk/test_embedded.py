"""Files and notebooks that a component brings along in its command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.compiler.module_texts import LARGE_BYTES, Embedded, embed, embed_notebook, module_source
from headrace.dsl.mistakes import DefinitionError

LOOK = """
def look(brought: {kind}) -> str:
    from pathlib import Path
    import part
    return Path(brought.path, {inside!r}).read_text() + part.SAYS + Path(__KFP_EMBEDDED_ASSET_DIR).name[:9]
"""


def run(folder: Path, source: str, function: str = "look") -> subprocess.CompletedProcess[str]:
    (folder / "component.py").write_text(source)
    document = {"outputs": {"outputFile": str(folder / "output.json")}}
    words = ["--component_module_path", str(folder / "component.py"), "--executor_input", json.dumps(document)]
    command = [sys.executable, "-m", "headrace.runtime", *words, "--function_to_execute", function]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def returned(folder: Path) -> str:
    return str(json.loads((folder / "output.json").read_text())["parameterValues"]["Output"])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/text.txt").write_text("words ")
    (folder / "part.py").write_text('SAYS = "imported "\n')
    return folder


def test_a_folder_is_there_and_can_be_imported_from(files: Path, tmp_path: Path) -> None:
    source = LOOK.format(kind="dsl.EmbeddedInput[dsl.Dataset]", inside="deep/text.txt")
    done = run(tmp_path, module_source(source, embedded=embed(str(files))))
    assert (done.returncode, done.stderr) == (0, "")
    assert returned(tmp_path) == "words imported embedded-"


def test_a_single_file_is_the_path_itself(files: Path, tmp_path: Path) -> None:
    source = LOOK.format(kind="dsl.EmbeddedInput[dsl.Artifact]", inside="")
    done = run(tmp_path, module_source(source, embedded=embed(str(files / "part.py"))))
    assert (done.returncode, done.stderr) == (0, "")
    assert returned(tmp_path) == 'SAYS = "imported "\nimported embedded-'


def test_the_folder_is_gone_afterwards(files: Path, tmp_path: Path) -> None:
    source = "def look() -> str:\n    return __KFP_EMBEDDED_ASSET_DIR\n"
    assert run(tmp_path, module_source(source, embedded=embed(str(files)))).returncode == 0
    assert not Path(returned(tmp_path)).exists()


def test_nothing_was_embedded(tmp_path: Path) -> None:
    source = "def look(brought: dsl.EmbeddedInput[dsl.Dataset]) -> str:\n    return brought.path\n"
    done = run(tmp_path, module_source(source))
    assert done.stderr == (
        "headrace: 'look' takes the embedded artifact 'brought', but its command brings none along: "
        "give its decorator embedded_artifact_path\n"
    )


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    done = run(tmp_path, module_source("def look(): ...\n", embedded=Embedded("bm90IGEgdGFy")))
    assert done.returncode == 1
    assert done.stderr.startswith("headrace: what the component embeds cannot be laid out in ")
    assert done.stderr.count("\n") == 1


def test_the_same_files_give_the_same_text(files: Path) -> None:
    before = embed(str(files))
    (files / "part.py").touch()
    assert embed(str(files)) == before


def test_much_is_warned_of(files: Path) -> None:
    import random

    (files / "big.bin").write_bytes(random.Random(1).randbytes(LARGE_BYTES + 1000))
    with pytest.warns(UserWarning, match=r"files is 1\.0 MiB when packed, all of which every task's command carries"):
        embed(str(files))


def test_notebooks_are_found(files: Path) -> None:
    (files / ".ipynb_checkpoints").mkdir()
    (files / ".ipynb_checkpoints/a.ipynb").write_text("{}")
    (files / "deep/a.ipynb").write_text("{}")
    assert embed_notebook(str(files)).notebook == "deep/a.ipynb"
    assert embed_notebook(str(files / "deep/a.ipynb")).notebook == "a.ipynb"


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("no.ipynb", "there is no notebook '{}/no.ipynb'; correct notebook_path"),
        ("part.py", "'{}/part.py' is no notebook: notebook_path must be an .ipynb file or a folder with one in it"),
        (
            "deep",
            "there is no notebook in the folder '{}/deep', where there must be one; name the file in notebook_path",
        ),
        (
            "two",
            "there are 2 notebooks in the folder '{}/two', where there must be one; name the file in notebook_path",
        ),
    ],
)
def test_notebooks_that_cannot_be_embedded(files: Path, path: str, sentence: str) -> None:
    (files / "two").mkdir()
    for name in ("a", "b"):
        (files / "two" / f"{name}.ipynb").write_text("{}")
    with pytest.raises(DefinitionError) as raised:
        embed_notebook(str(files / path))
    assert str(raised.value).partition(": ")[2] == sentence.format(files)


def test_what_is_not_there_cannot_be_embedded() -> None:
    with pytest.raises(
        DefinitionError, match="there is no file or folder '/no/where' to embed; correct embedded_artifact_path"
    ):
        embed("/no/where")


def test_running_a_notebook_without_its_packages(files: Path, tmp_path: Path) -> None:
    (files / "a.ipynb").write_text("{}")
    source = "def look():\n    dsl.run_notebook(rows=3)\n"
    done = run(tmp_path, module_source(source, embedded=embed_notebook(str(files / "a.ipynb"))))
    said = "headrace: running a notebook needs nbformat: add nbclient and ipykernel to packages_to_install\n"
    assert (done.returncode, done.stderr) == (1, said)
