"""`headrace compile`, and the other verbs about files, of Python files: which pipeline, where it goes, what is said."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from headrace.cli import main

HEAD = """
from headrace import dsl


@dsl.component
def greet(name: str = "Eve") -> str:
    \"\"\"Say hello.\"\"\"
    return "Hello, " + name
"""
ONE = f"""{HEAD}

@dsl.pipeline(name="hello-flow")
def hello(name: str = "Ada") -> str:
    \"\"\"Greet somebody.\"\"\"
    return greet(name=name).output
"""
TWO = f"""{ONE}

@dsl.pipeline
def twice():
    hello(name="one").set_display_name("first")
    hello(name="two")
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def put(text: str, name: str = "flow.py") -> Path:
        Path(name).write_text(text)
        return Path(name)

    return put


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]):
    def call(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def names_in(text: str) -> list[str]:
    return [one["pipelineInfo"]["name"] for one in yaml.safe_load_all(text)]


def test_one_pipeline_goes_beside_its_file(write, said):
    write(ONE)
    assert said("compile", "flow.py") == (0, "flow.yaml\n", "")
    assert names_in(Path("flow.yaml").read_text()) == ["hello-flow"]
    assert said("compile", "flow.py", "--check") == (0, "", "")


def test_check_says_what_is_stale_and_writes_nothing(write, said):
    write(ONE)
    told = (1, "flow.yaml is not what its source compiles to: run headrace compile\n", "")
    assert said("compile", "flow.py", "--check") == told
    assert not Path("flow.yaml").exists()
    said("compile", "flow.py")
    write(ONE.replace("Ada", "Bob"))
    before = Path("flow.yaml").read_bytes()
    assert said("compile", "flow.py", "--check") == told
    assert Path("flow.yaml").read_bytes() == before


def test_a_file_is_read_anew_whatever_its_times_say(write, said, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    write(ONE)
    os.utime("flow.py", (1_000_000_000, 1_000_000_000))
    said("compile", "flow.py")
    write(ONE.replace("Ada", "Bob"))
    os.utime("flow.py", (1_000_000_000, 1_000_000_000))
    said("compile", "flow.py")
    assert "Bob" in Path("flow.yaml").read_text()


def test_several_pipelines_are_files_each(write, said):
    write(TWO)
    assert said("compile", "flow.py") == (0, "flow_hello.yaml\nflow_twice.yaml\n", "")
    assert names_in(Path("flow_twice.yaml").read_text()) == ["twice"]
    Path("out").mkdir()
    assert said("compile", "flow.py", "-o", "out") == (0, "out/flow_hello.yaml\nout/flow_twice.yaml\n", "")
    assert said("compile", "flow.py", "-o", "new/")[:2] == (0, "new/flow_hello.yaml\nnew/flow_twice.yaml\n")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("flow.py:twice",), "twice"),
        (("flow.py:hello-flow",), "hello-flow"),
        (("flow.py", "--pipeline", "hello"), "hello-flow"),
        (("flow.py", "--component", "greet"), "greet"),
        (("flow.py:greet",), "greet"),
    ],
)
def test_one_of_several_is_named(write, said, arguments, name):
    write(TWO)
    code, out, err = said("compile", *arguments, "-o", "-")
    assert (code, names_in(out), err) == (0, [name], "")


def test_json(write, said):
    write(ONE)
    assert said("compile", "flow.py", "-o", "flow.json") == (0, "flow.json\n", "")
    assert json.loads(Path("flow.json").read_text())["pipelineInfo"]["name"] == "hello-flow"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("flow.yaml",), "flow.yaml is no Python file; headrace compile takes FILE.py"),
        (("flow.py:none",), "flow.py has no pipeline or component none; it has hello, twice, greet"),
        (("flow.py", "--pipeline", "greet"), "flow.py has no pipeline greet; it has hello, twice"),
        (("flow.py", "--component", "hello"), "flow.py has no component hello; it has greet"),
        (
            ("flow.py:hello", "--component", "greet"),
            "flow.py:hello names a pipeline already; leave it or --component out",
        ),
        (("flow.py", "-o", "-"), "flow.py has 2 pipelines: hello, twice; -o - prints one: name it with --pipeline"),
        (("flow.py", "-o", "x.yaml"), "flow.py has 2 pipelines: hello, twice; -o x.yaml is one file: name a folder"),
        (("flow.py:hello", "-o", "x.txt"), "-o x.txt: give a file that ends in .yaml, .yml or .json, a folder, or -"),
        (("flow.py:hello", "-o", "flow.py/x.yaml"), "cannot write flow.py/x.yaml: File exists"),
    ],
)
def test_what_cannot_be_compiled_is_a_sentence(write, said, arguments, sentence):
    write(TWO)
    assert said("compile", *arguments) == (2, "", f"headrace: {sentence}\n")


@pytest.mark.parametrize("verb", ["run", "validate"])
def test_of_several_one_must_be_named(write, said, verb):
    write(TWO)
    sentence = "flow.py has 2 pipelines: hello, twice; say which one, such as flow.py:hello"
    assert said(verb, "flow.py") == (2, "", f"headrace: {sentence}\n")
    sentence = "flow.py:hello names one pipeline, --pipeline twice another; give one of them"
    assert said(verb, "flow.py:hello", "--pipeline", "twice") == (2, "", f"headrace: {sentence}\n")


def test_a_file_with_components_alone(write, said):
    write(HEAD)
    sentence = (
        "flow.py defines no pipeline: decorate a function with @dsl.pipeline, or name one of its components, "
        "such as flow.py:greet"
    )
    assert said("validate", "flow.py") == (2, "", f"headrace: {sentence}\n")
    assert said("validate", "flow.py:greet") == (0, "flow.py:greet is valid\n", "")


def test_an_imported_pipeline_is_not_the_files_own(write, said):
    write(ONE, "shared_flow.py")
    write("from shared_flow import hello\nfrom headrace import dsl\n\n\n@dsl.pipeline\ndef mine():\n    hello()\n")
    code, out, _ = said("compile", "flow.py", "-o", "-")
    assert (code, names_in(out)) == (0, ["mine"])
    write("from shared_flow import hello\n")
    code, out, _ = said("compile", "flow.py", "-o", "-")
    assert (code, names_in(out)) == (0, ["hello-flow"])


def test_a_mistake_is_one_sentence_with_its_line(write, said):
    path = write(f"{HEAD}\n\n@dsl.pipeline\ndef wrong():\n    greet(nme='x')\n").resolve()
    code, out, err = said("compile", "flow.py")
    assert (code, out) == (2, "")
    assert err == f"headrace: {path}:13: greet() takes no input 'nme'; write 'name'.\n"


def test_what_the_platform_would_refuse_is_not_written(write, said):
    write(TWO.replace('.set_display_name("first")', ".set_retry(num_retries=5000)"))
    code, out, err = said("compile", "flow.py:twice")
    assert (code, out) == (2, "")
    assert err == (
        "root.dag.tasks.hello-flow.retryPolicy.maxRetryCount: must be from 0 to 1,000, got 5000\n"
        "headrace: 1 problem; nothing was created\n"
    )
    assert not Path("flow.yaml").exists()


def test_what_has_no_effect_is_a_warning_and_compiles(write, said):
    write(TWO.replace('.set_display_name("first")', ".ignore_upstream_failure()"))
    code, out, err = said("compile", "flow.py:twice", "-o", "-")
    assert (code, names_in(out)) == (0, ["twice"])
    assert err == (
        "warning: root.dag.tasks.hello-flow.triggerPolicy.strategy: has no effect, because the task waits for no other\n"
    )


def test_as_kfp(write, said):
    write(ONE.replace("from headrace import", "from kfp import"))
    sentence = (
        "flow.py imports KFP's SDK, which is not installed here; with --as-kfp Headrace answers for it, "
        "or change its imports to headrace"
    )
    assert said("compile", "flow.py") == (2, "", f"headrace: {sentence}\n")
    code, out, err = said("compile", "flow.py", "--as-kfp", "-o", "-")
    assert (code, names_in(out), err) == (0, ["hello-flow"], "")


def test_diff_of_a_file_and_what_it_compiled_to(write, said):
    write(ONE)
    said("compile", "flow.py")
    assert said("diff", "flow.py", "flow.yaml") == (0, "flow.py and flow.yaml mean the same\n", "")
    write(ONE.replace("Ada", "Bob"), "other.py")
    code, out, _ = said("diff", "flow.py", "other.py")
    assert code == 1
    assert out.splitlines()[:3] == ["root.inputDefinitions.parameters.name.defaultValue", '  - "Ada"', '  + "Bob"']


def test_components_of_a_file(write, said):
    write(TWO)
    code, out, err = said("components", "flow.py")
    assert (code, err) == (0, "")
    assert out == (
        "pipeline hello\n"
        "  Greet somebody.\n"
        '  in   name: STRING = "Ada"\n'
        "  out  Output: STRING\n"
        "pipeline twice\n"
        "component greet  python:3.11\n"
        "  Say hello.\n"
        '  in   name: STRING = "Eve"\n'
        "  out  Output: STRING\n"
    )
    code, out, _ = said("components", "flow.py:greet", "-o", "json")
    assert code == 0
    assert json.loads(out) == [
        {
            "name": "greet",
            "kind": "component",
            "description": "Say hello.",
            "image": "python:3.11",
            "inputs": [{"name": "name", "type": "STRING", "default": "Eve", "optional": True}],
            "outputs": [{"name": "Output", "type": "STRING"}],
        }
    ]
