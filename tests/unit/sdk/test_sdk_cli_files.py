"""The verbs about packages: validate, diff and components of what is compiled already; and how quick the command starts."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from builders.specs import container, pipeline
from headrace.cli import main

HELLO = Path(__file__).parents[3] / "examples" / "hello" / "pipeline.yaml"


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = main([str(one) for one in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_what_needs_nothing_loads_nothing(option: str):
    """A thing for people at a prompt, which must not wait for gRPC, YAML or asyncio."""
    code = (
        "import sys; from headrace.cli import main\n"
        "try: main([sys.argv[1]])\n"
        "except SystemExit: pass\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert not loaded & {"grpc", "google", "yaml", "asyncio", "headrace_protos", "headrace_servicekit"}
    if option == "--version":
        assert done.stdout == "headrace 0.1.0\n"
        assert not loaded & {"argparse", "dataclasses", "importlib_metadata", "json"}


def test_validate_says_each_problem(tmp_path: Path, capsys):
    assert said(capsys, "validate", HELLO) == (0, f"{HELLO} is valid\n", "")
    broken = tmp_path / "broken.yaml"
    broken.write_text(HELLO.read_text().replace("schemaVersion: 2.1.0", "schemaVersion: 3.0.0"))
    code, out, err = said(capsys, "validate", broken)
    assert (code, err) == (2, "")
    assert out.startswith(f"{broken}: schemaVersion: ")
    code, out, _ = said(capsys, "validate", broken, "-o", "yaml")
    assert code == 2
    told = yaml.safe_load(out)
    assert (told["valid"], told["warnings"]) == (False, [])
    assert "2.1.0" in told["problems"][0]["message"]


def test_validate_warns_on_standard_error(tmp_path: Path, capsys):
    path = tmp_path / "flow.json"
    path.write_text(json.dumps(pipeline("demo").task("a", container(), parallelism=3).build()))
    assert said(capsys, "validate", path) == (
        0,
        f"{path} is valid\n",
        "warning: root.dag.tasks.a.iteratorPolicy: has no effect without an iterator\n",
    )


def test_options_of_python_files_are_no_options_of_packages(capsys):
    for option in (("--pipeline", "x"), ("--as-kfp",)):
        assert said(capsys, "validate", HELLO, *option) == (
            2,
            "",
            f"headrace: {option[0]} is about Python files, and {HELLO} is a package\n",
        )


def packed_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("pipeline.yaml", HELLO.read_text())


def packed_tar(path: Path) -> None:
    with tarfile.open(path, "w:gz") as packed:
        member = tarfile.TarInfo("pipeline.yaml")
        member.size = len(HELLO.read_bytes())
        packed.addfile(member, io.BytesIO(HELLO.read_bytes()))


@pytest.mark.parametrize(("name", "pack"), [("hello.zip", packed_zip), ("hello.tar.gz", packed_tar)])
def test_diff_of_the_same_is_0_also_packed(tmp_path: Path, capsys, name, pack):
    packed = tmp_path / name
    pack(packed)
    assert said(capsys, "diff", HELLO, packed) == (0, f"{HELLO} and {packed} mean the same\n", "")


def test_diff_shows_each_place(tmp_path: Path, capsys):
    other = tmp_path / "other.json"
    documents = yaml.safe_load(HELLO.read_text())
    documents["root"]["inputDefinitions"]["parameters"]["name"]["defaultValue"] = "Eve"
    other.write_text(json.dumps(documents))
    code, out, err = said(capsys, "diff", HELLO, other)
    assert (code, err) == (1, "")
    assert out == ('root.inputDefinitions.parameters.name.defaultValue\n  - "world"\n  + "Eve"\n1 difference\n')
    code, out, _ = said(capsys, "diff", HELLO, other, "-o", "json")
    assert code == 1
    assert json.loads(out) == {
        "same": False,
        "differences": [
            {"path": "root.inputDefinitions.parameters.name.defaultValue", "a": "world", "b": "Eve"},
        ],
    }


def test_diff_with_a_file_that_is_not_there_says_so_without_a_platform_too(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path))
    monkeypatch.delenv("HEADRACE_ENDPOINT", raising=False)
    assert said(capsys, "diff", HELLO, "nofile") == (
        4,
        "",
        "headrace: there is no file nofile; for a pipeline of that name: no platform is up on this machine; start one with "
        "`headrace up`, or name one with --endpoint or HEADRACE_ENDPOINT (http://host:8888)\n",
    )


def test_diff_of_what_is_no_pipeline_is_an_error(tmp_path: Path, capsys):
    (tmp_path / "none.yaml").write_text("a: 1\n")
    assert said(capsys, "diff", HELLO, tmp_path / "none.yaml") == (
        2,
        "",
        "headrace: none.yaml: the text holds no pipeline: a document with `pipelineInfo` and `root` is needed\n",
    )
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    assert said(capsys, "diff", HELLO, tmp_path / "bytes.yaml") == (
        2,
        "",
        "headrace: bytes.yaml is no package: give IR YAML or JSON, a zip or a tar.gz of it\n",
    )


def test_components_of_a_package(capsys):
    code, out, _ = said(capsys, "components", HELLO)
    assert code == 0
    assert out.splitlines()[:5] == [
        "pipeline hello",
        "  Greet somebody, then count the letters of the greeting.",
        '  in   name: STRING = "world"',
        "  out  greeting: STRING",
        "  out  letters: NUMBER_INTEGER",
    ]
    assert "component count-letters  python:3.11" in out
    code, out, _ = said(capsys, "components", HELLO, "-o", "json")
    told = json.loads(out)
    assert [(one["kind"], one["name"]) for one in told] == [
        ("pipeline", "hello"),
        ("component", "count-letters"),
        ("component", "greet"),
    ]
    assert told[1]["image"] == "python:3.11"


def test_differences_are_coloured_on_terminals_and_cannot_move_the_cursor():
    from headrace.cli.differing import lines
    from headrace.comparing import ABSENT, Difference
    from headrace.display.texts import Style

    one = Difference("root.x", "\x1b[2J", ABSENT)
    assert lines(one, Style(colour=True)) == ["\x1b[1mroot.x\x1b[0m", '\x1b[31m  - "\\u001b[2J"\x1b[0m']
    assert lines(Difference("a", ABSENT, [1]), Style()) == ["a", "  + [1]"]
