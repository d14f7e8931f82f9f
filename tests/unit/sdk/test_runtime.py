"""What a component's function is given and what becomes of what it returns: the runtime, called as its command calls it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from headrace.compiler.module_texts import module_source
from headrace.runtime.command_line import main

ANY = {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}


class Task:
    """One task in a folder: `run` gives the ExecutorOutput, `said` what it printed."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capfd = capfd
        self.inputs: dict[str, Any] = {"parameterValues": {}, "artifacts": {}}
        self.outputs: dict[str, Any] = {
            "parameters": {},
            "artifacts": {},
            "outputFile": f"{folder}/s3/root/out.json",
        }

    def given(self, **parameters: Any) -> Task:
        self.inputs["parameterValues"].update(parameters)
        return self

    def artifact(self, name: str, *uris: str, title: str = "system.Dataset", **entry: Any) -> Task:
        entries = [
            {"name": f"{index}", "uri": uri, "type": {"schemaTitle": title}, **entry} for index, uri in enumerate(uris)
        ]
        self.inputs["artifacts"][name] = {"artifacts": entries}
        return self

    def puts_out(self, *names: str) -> Task:
        self.outputs["parameters"].update({name: {"outputFile": f"{self.folder}/p/{name}"} for name in names})
        return self

    def makes(self, name: str, title: str = "system.Artifact", **entry: Any) -> Task:
        planned = {"name": name, "uri": f"{self.folder}/a/{name}", "type": {"schemaTitle": title}, **entry}
        self.outputs["artifacts"][name] = {"artifacts": [planned]}
        return self

    def code(self, source: str, *, as_written: bool = False, function: str = "f", flags: tuple[str, ...] = ()) -> int:
        path = self.folder / "ephemeral_component.py"
        text = textwrap.dedent(source)
        path.write_text(text if as_written else module_source(text), encoding="utf-8")
        document = json.dumps({"inputs": self.inputs, "outputs": self.outputs})
        words = ["--component_module_path", str(path), "--executor_input", document, "--function_to_execute", function]
        return main([*words, *flags])

    def run(self, source: str, **more: Any) -> dict[str, Any]:
        assert self.code(source, **more) == 0, self.said()
        found: dict[str, Any] = json.loads(Path(self.outputs["outputFile"]).read_text(encoding="utf-8"))
        return found

    def values(self, source: str, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.run(source, **more)["parameterValues"]
        return found

    def fails(self, source: str, **more: Any) -> str:
        """The one sentence with which it fails."""
        assert self.code(source, **more) == 1
        said = self.said()
        assert said.startswith("headrace: "), said
        assert said.count("\n") == 1
        return said.removeprefix("headrace: ").strip()

    def said(self) -> str:
        return self._capfd.readouterr().err


@pytest.fixture
def task(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("CLUSTER_SPEC", raising=False)
    monkeypatch.setenv("_KFP_RUNTIME", "")  # restored afterwards
    return Task(tmp_path, capfd)


# parameters


def test_parameters_come_as_they_are(task: Task) -> None:
    task.given(s="x", i=3, f=2, b=True, l=[1, {"a": None}], d={"k": [1.5]}).puts_out("Output")
    source = """
    def f(s: str, i: int, f: float, b: bool, l: List[dict], d: Dict[str, list]) -> list:
        return [s, i, f, b, l, d, type(f).__name__]
    """
    assert task.values(source) == {"Output": ["x", 3, 2, True, [1, {"a": None}], {"k": [1.5]}, "int"]}


def test_what_is_missing_takes_its_default(task: Task) -> None:
    task.given(null=None).puts_out("Output")
    source = """
    def f(a: str = "x", null: int = 4, o: Optional[str] = "y", n: Optional[int] = None, bare: Optional[list] = None) -> list:
        return [a, null, o, n, bare]
    """
    assert task.values(source) == {"Output": ["x", 4, "y", None, None]}


def test_an_optional_without_default_is_none(task: Task) -> None:
    source = "def f(a: Optional[str], b: 'int | None', c: Optional[Input[Dataset]]) -> list:\n    return [a, b, c]\n"
    assert task.puts_out("Output").values(source) == {"Output": [None, None, None]}


def test_an_integer_that_came_as_a_fraction_is_one(task: Task) -> None:
    source = "def f(a: int, b: float) -> list:\n    return [repr(a), repr(b)]\n"
    assert task.given(a=3.0, b=3.0).puts_out("Output").values(source) == {"Output": ["3", "3.0"]}


def test_a_required_input_that_was_not_given(task: Task) -> None:
    said = task.fails("def f(rows: int): ...\n")
    assert said == (
        "the input 'rows' of 'f' was not given: pass it where the task is made, or give the parameter a default"
    )


def test_a_path_of_a_parameter_is_a_file_with_its_value(task: Task) -> None:
    source = """
    def f(a: InputPath(str), b: InputPath(list)) -> list:
        from pathlib import Path
        return [Path(a).read_text(), Path(b).read_text()]
    """
    assert task.given(a="x\n", b=[1]).puts_out("Output").values(source) == {"Output": ["x\n", "[1]"]}


@pytest.mark.parametrize("camel", [True, False])
def test_the_final_status_takes_both_spellings(task: Task, camel: bool) -> None:
    names = (
        ("pipelineJobResourceName", "pipelineTaskName")
        if camel
        else ("pipeline_job_resource_name", "pipeline_task_name")
    )
    held = {"state": "FAILED", "error": {"code": 9, "message": "bad"}, names[0]: "run", names[1]: "train"}
    source = """
    def f(status: PipelineTaskFinalStatus) -> list:
        held = status
        return [held.state, held.error_code, held.error_message, held.pipeline_job_resource_name, held.pipeline_task_name]
    """
    assert task.given(status=held).puts_out("Output").values(source) == {"Output": ["FAILED", 9, "bad", "run", "train"]}


def test_a_final_status_without_error(task: Task) -> None:
    source = (
        "def f(s: dsl.PipelineTaskFinalStatus) -> list:\n    return [s.state, s.error_code, s.pipeline_task_name]\n"
    )
    assert task.given(s={"state": "SUCCEEDED"}).puts_out("Output").values(source) == {
        "Output": ["SUCCEEDED", None, None]
    }


def test_the_task_config(task: Task) -> None:
    source = "def f(c: dsl.TaskConfig) -> list:\n    return [c.node_selector, c.volume_mounts, c.env, c.resources]\n"
    given = {"nodeSelector": {"a": "b"}, "volumeMounts": [{"name": "v"}], "env": [{"name": "E"}]}
    assert task.given(c=given).puts_out("Output").values(source) == {
        "Output": [{"a": "b"}, [{"name": "v"}], [{"name": "E"}], None]
    }


def test_a_task_config_that_was_not_given_is_empty(task: Task) -> None:
    source = "def f(c: dsl.TaskConfig) -> bool:\n    return c == dsl.TaskConfig()\n"
    assert task.puts_out("Output").values(source) == {"Output": True}


# artifacts in


def test_artifacts_and_lists_of_them(task: Task) -> None:
    task.artifact("one", "s3://b/k", metadata={"n": 1}).artifact(
        "many", "gs://b/x", "minio://b/y", title="system.Model"
    )
    task.artifact("path", "oci://r/m", title="system.Model").artifact("bare", "/plain", title="").puts_out("Output")
    source = """
    def f(one: Input[Dataset], many: Input[List[Model]], path: InputPath("Model"), bare: Markdown) -> list:
        return [one.path, one.metadata, one.name, [m.path for m in many], type(many[0]).__name__, path, type(bare).__name__]
    """
    assert task.values(source) == {
        "Output": ["/s3/b/k", {"n": 1}, "0", ["/gcs/b/x", "/minio/b/y"], "Model", "/oci/r_m/models", "Markdown"]
    }


def test_the_more_special_class_wins(task: Task) -> None:
    task.artifact("a", "/a", title="system.Artifact").artifact("b", "/b", title="system.Model").artifact(
        "c", "/c", title="own.X"
    )
    source = """
    def f(a: Input[Dataset], b: Input[Artifact], c: Input[Metrics]) -> list:
        return [type(x).__name__ for x in (a, b, c)]
    """
    assert task.puts_out("Output").values(source) == {"Output": ["Dataset", "Model", "Metrics"]}


def test_a_path_of_its_own_comes_along(task: Task) -> None:
    source = "def f(a: Input[Dataset]) -> str:\n    return a.path\n"
    assert task.artifact("a", "s3://b/k", customPath="/here").puts_out("Output").values(source) == {"Output": "/here"}


def test_an_optional_artifact_that_is_missing(task: Task) -> None:
    source = "def f(a: Input[Dataset] = None, b: Optional[Input[List[Model]]] = None) -> list:\n    return [a, b]\n"
    assert task.puts_out("Output").values(source) == {"Output": [None, None]}


def test_an_empty_list_of_artifacts(task: Task) -> None:
    source = "def f(a: List[Dataset], b: Input[List[Dataset]]) -> list:\n    return [a, b]\n"
    assert task.artifact("a").puts_out("Output").values(source) == {"Output": [[], []]}


# artifacts out


def test_output_artifacts(task: Task) -> None:
    task.makes("model", "system.Model", metadata={"from": "definition"}).makes("text").makes("m", "system.Metrics")
    source = """
    def f(model: Output[Model], text: OutputPath("Artifact"), m: Output[Metrics] = dsl.OUTPUT):
        with open(model.path, "w") as file:
            file.write("weights")
        model.metadata["rows"] = 3
        model.custom_path = "/elsewhere"
        with open(text, "w") as file:
            file.write("text")
        m.log_metric("loss", 0.5)
    """
    found = task.run(source)["artifacts"]
    entry = {"name": "model", "uri": f"{task.folder}/a/model", "metadata": {"from": "definition", "rows": 3}}
    assert found["model"] == {"artifacts": [{**entry, "custom_path": "/elsewhere"}]}
    assert found["m"]["artifacts"][0]["metadata"] == {"loss": 0.5}
    assert (task.folder / "a/text").read_text() == "text"


def test_a_parameter_goes_to_its_file(task: Task) -> None:
    source = 'def f(a: OutputPath(str)):\n    with open(a, "w") as file:\n        file.write("x")\n'
    assert task.puts_out("a").run(source) == {}
    assert (task.folder / "p/a").read_text() == "x"


def test_returned_artifacts(task: Task) -> None:
    task.makes("Output", "system.Dataset")
    source = 'def f() -> Dataset:\n    return Dataset(uri=dsl.get_uri("d"), metadata={"a": 1})\n'
    made = {"name": "Output", "uri": f"{task.folder}/s3/root/d", "metadata": {"a": 1}}
    assert task.run(source) == {"artifacts": {"Output": {"artifacts": [made]}}}


def test_a_value_returned_for_an_artifact_is_written_to_it(task: Task) -> None:
    task.makes("Output")
    task.run("def f() -> Artifact:\n    return {'a': 1}\n")
    assert (task.folder / "a/Output").read_text() == "{'a': 1}"
    task.run("def f() -> Artifact:\n    return bytes([0, 255])\n")
    assert (task.folder / "a/Output").read_bytes() == b"\x00\xff"


@pytest.mark.parametrize("returned", [True, False])
def test_lists_of_artifacts_go_out(task: Task, returned: bool) -> None:
    task.makes("Output" if returned else "out", "system.Model")
    made = '[Model(name="a", uri="/a"), Model(uri="/b")]'
    source = (
        f"def f() -> List[Model]:\n    return {made}\n"
        if returned
        else f"def f(out: Output[List[Model]]):\n    out += {made}\n"
    )
    name = "Output" if returned else "out"
    assert task.run(source)["artifacts"][name]["artifacts"] == [
        {"name": "a", "uri": "/a", "metadata": {}},
        {"name": name, "uri": "/b", "metadata": {}},
    ]


def test_an_output_list_that_nothing_was_put_into_is_the_planned_artifact(task: Task) -> None:
    source = 'def f(out: Output[List[Model]]):\n    with open(out.path, "w") as file:\n        file.write("x")\n'
    assert task.makes("out").run(source)["artifacts"]["out"]["artifacts"][0]["uri"] == f"{task.folder}/a/out"


# returned values


@pytest.mark.parametrize(
    "body",
    [
        'return (1, Model(uri="/m", name="x"), "t")',
        'from collections import namedtuple; return namedtuple("R", ["text", "n", "model"])("t", 1, Model(uri="/m", name="x"))',
        'from collections import namedtuple; return namedtuple("R", ["x", "y", "z"])(1, Model(uri="/m", name="x"), "t")',
        'from types import SimpleNamespace as S; return S(n=1, model=Model(uri="/m", name="x"), text="t")',
    ],
)
def test_named_tuples(task: Task, body: str) -> None:
    task.puts_out("n", "text").makes("model", "system.Model")
    source = f"def f() -> NamedTuple('R', [('n', int), ('model', Model), ('text', str)]):\n    {body}\n"
    assert task.run(source) == {
        "parameterValues": {"n": 1, "text": "t"},
        "artifacts": {"model": {"artifacts": [{"name": "x", "uri": "/m", "metadata": {}}]}},
    }


def test_fields_whose_names_are_methods_of_tuples(task: Task) -> None:
    source = "def f() -> NamedTuple('R', [('count', int), ('index', int)]):\n    return (1, 2)\n"
    assert task.puts_out("count", "index").values(source) == {"count": 1, "index": 2}


def test_nothing_returned_puts_nothing_out(task: Task) -> None:
    assert task.puts_out("Output").run("def f() -> str:\n    return None\n") == {}
    assert task.run("def f():\n    pass\n") == {}


def test_a_number_of_numpy_is_a_number(task: Task) -> None:
    source = """
    def f(m: Output[Metrics]) -> NamedTuple("R", [("i", int), ("x", float), ("l", list)]):
        class Scalar:
            def __init__(self, value): self.value = value
            def tolist(self): return self.value
        m.log_metric("loss", Scalar(0.25))
        return Scalar(3), Scalar(0.5), [Scalar([1, 2])]
    """
    found = task.puts_out("i", "x", "l").makes("m", "system.Metrics").run(source)
    assert found["parameterValues"] == {"i": 3, "x": 0.5, "l": [[1, 2]]}
    assert found["artifacts"]["m"]["artifacts"][0]["metadata"] == {"loss": 0.25}


def test_pydantic_models_come_and_go(task: Task) -> None:
    source = """
    import pydantic

    class Inner(pydantic.BaseModel):
        rows: int

    class Settings(pydantic.BaseModel):
        inner: Inner
        name: str = "x"

    def f(settings: Settings, more: Optional[Settings] = None) -> NamedTuple("R", [("out", dict), ("rows", int)]):
        return settings, settings.inner.rows
    """
    task.given(settings={"inner": {"rows": 3}}).puts_out("out", "rows")
    assert task.values(source) == {"out": {"inner": {"rows": 3}, "name": "x"}, "rows": 3}


def test_coroutines_are_awaited(task: Task) -> None:
    source = "async def f(a: int) -> int:\n    import asyncio\n    await asyncio.sleep(0)\n    return a\n"
    assert task.given(a=1).puts_out("Output").values(source) == {"Output": 1}


@pytest.mark.parametrize(
    ("returns", "value", "sentence"),
    [
        ("int", "'three'", "the output 'Output' of 'f' must be an int; the function returned a str, 'three'"),
        ("str", "3", "the output 'Output' of 'f' must be a str; the function returned an int, 3"),
        ("List[int]", "{1: 2}", "the output 'Output' of 'f' must be a list; the function returned a dict, {1: 2}"),
        ("dict", "[('a', 1)]", "the output 'Output' of 'f' must be a dict; the function returned a list, [('a', 1)]"),
        (
            "dict",
            "{'rows': [1, {2}]}",
            "the output 'Output' of 'f' is no JSON: ['rows'][1] is a set; convert it, or write it to an output artifact",
        ),
        (
            "list",
            "[{(1, 2): 3}]",
            "the output 'Output' of 'f' is no JSON: [0] has the key (1, 2), a tuple; "
            "convert it, or write it to an output artifact",
        ),
        (
            "NamedTuple('R', [('a', int), ('b', int)])",
            "(1,)",
            "'f' must return 2 values (a, b); it returned 1",
        ),
        (
            "NamedTuple('R', [('a', int), ('b', int)])",
            "7",
            "'f' must return 'a' and 'b'; it returned an int, 7",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_put_out(task: Task, returns: str, value: str, sentence: str) -> None:
    assert task.puts_out("Output", "a", "b").fails(f"def f() -> {returns}:\n    return {value}\n") == sentence


def test_metadata_that_is_no_json(task: Task) -> None:
    said = task.makes("m").fails("def f(m: Output[Artifact]):\n    m.metadata['when'] = {1}\n")
    assert said == (
        "the metadata of the output 'm' of 'f' is no JSON: ['when'] is a set; convert it, or write it to an output artifact"
    )


def test_what_is_no_artifact_in_a_list_of_them(task: Task) -> None:
    said = task.makes("out").fails("def f(out: Output[List[Model]]):\n    out.append('x')\n")
    assert said == "the output 'out' of 'f' is a list of artifacts; a str, 'x' is none"


def test_a_value_that_no_annotation_keeps_is_named(task: Task) -> None:
    assert task.code("def f():\n    return 3\n") == 0
    assert task.said() == "headrace: 'f' returned an int that is not kept: its function has no return annotation\n"


def test_an_artifact_that_the_platform_did_not_plan(task: Task) -> None:
    said = task.fails("def f(m: Output[Model]): ...\n")
    assert said == "the platform planned no output artifact 'm' for 'f': compile the pipeline again"


# annotations that mean nothing here


def test_unknown_annotations_count_for_what_the_task_has(task: Task) -> None:
    task.given(a=1, settings={"x": 2}).artifact("data", "/d").artifact("more", "/e", "/f").artifact("where", "/g")
    task.puts_out("Output", "file").makes("out", "system.Model")
    source = """
    def f(a: np.int64, settings: Settings, data: Input[Frame], more: List[Frame], where: InputPath(Frame), out: Output[Net],
          file: OutputPath(Net), left: Optional[Frame], default: Frame = 5) -> Loss:
        return [a, settings, data.path, [m.path for m in more], where, type(out).__name__, file, left, default]
    """
    assert task.values(source) == {
        "Output": [1, {"x": 2}, "/d", ["/e", "/f"], "/g", "Model", f"{task.folder}/p/file", None, 5]
    }


def test_unknown_fields_of_a_returned_tuple(task: Task) -> None:
    source = """
    def f() -> Made:
        from collections import namedtuple
        return namedtuple("Made", "a b")(1, "x")
    """
    assert task.puts_out("a", "b").values(source) == {"a": 1, "b": "x"}


# ranks


@pytest.mark.parametrize(
    ("spec", "writes"),
    [
        ('{"task": {"type": "workerpool0", "index": 0}}', True),
        ('{"task": {"type": "chief"}}', True),
        ('{"task": {"type": "master"}}', True),
        ('{"task": {"type": "workerpool1", "index": 0}}', False),
        ('{"task": {"type": "evaluator"}}', False),
        ("not ours", True),
        ("{}", True),
    ],
)
def test_the_primary_rank_alone_writes(task: Task, monkeypatch: pytest.MonkeyPatch, spec: str, writes: bool) -> None:
    monkeypatch.setenv("CLUSTER_SPEC", spec)
    assert task.code("def f() -> int:\n    return 1\n") == 0
    assert Path(task.outputs["outputFile"]).exists() == writes


# how it ends


def test_a_traceback_begins_in_the_users_code(task: Task) -> None:
    assert task.code("def f():\n    helper = None\n    helper.go()\n") == 1
    lines = task.said().splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == f'  File "{task.folder}/ephemeral_component.py", line 8, in f'
    assert lines[2].strip() == "helper.go()"
    assert lines[-1] == "AttributeError: 'NoneType' object has no attribute 'go'"


def test_a_module_that_cannot_be_imported_shows_its_line(task: Task) -> None:
    assert task.code("import nothing_of_the_kind\ndef f(): ...\n") == 1
    assert "in <module>\n    import nothing_of_the_kind\n" in task.said()


def test_sys_exit_keeps_its_code(task: Task) -> None:
    with pytest.raises(SystemExit, match="3"):
        task.code("def f():\n    import sys\n    sys.exit(3)\n")


def test_input_by_file(task: Task) -> None:
    path = task.folder / "f.py"
    path.write_text("def f(a: list) -> int:\n    return len(a)\n")
    big = task.folder / "input.json"
    big.write_text(json.dumps({"inputs": {"parameterValues": {"a": [0] * 100_000}}, "outputs": task.outputs}))
    words = [f"--component_module_path={path}", f"--executor_input=@{big}", "--function_to_execute=f", "--unknown", "x"]
    assert main(words) == 0
    assert json.loads(Path(task.outputs["outputFile"]).read_text()) == {"parameterValues": {"Output": 100_000}}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "--function_to_execute and --executor_input must be given; this command lacks one of them"),
        (
            ["--executor_input", "@/no/file"],
            "the executor input cannot be read from /no/file: No such file or directory",
        ),
        (
            ["--executor_input", "{x"],
            "--executor_input must be JSON, or @FILE; '{x' is neither: "
            "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        (["--executor_input", "[]"], "the executor input must be a JSON object; it is of type list"),
        (
            ["--executor_input", "{}"],
            "the executor input has no outputs.outputFile: the platform must say where outputs go",
        ),
        (
            ["--executor_input", '{"outputs": {"outputFile": "/x"}}', "--component_module_path", "/no/x.py"],
            "there is no Python file /no/x.py, in which the component 'f' should be",
        ),
    ],
)
def test_wrong_commands(
    words: list[str], sentence: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_KFP_RUNTIME", "")  # restored afterwards: the command sets it for its whole process
    assert main([*words, "--function_to_execute", "f"] if words else []) == 1
    assert capfd.readouterr().err == f"headrace: {sentence}\n"


def test_a_function_that_is_not_there(task: Task) -> None:
    said = task.fails("def g(): ...\n")
    assert said == (
        f"{task.folder}/ephemeral_component.py defines no function 'f': build the image again, "
        "or correct the component's name"
    )


def test_a_component_of_an_image_is_found_in_its_list(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    (task.folder / "kfp_config.ini").write_text("[Components]\naddUp = parts/adding.py\n")
    (task.folder / "parts").mkdir()
    (task.folder / "parts/adding.py").write_text(
        "from __future__ import annotations\nfrom headrace import dsl\n\n\n"
        "@dsl.component\ndef addUp(a: int, b: int) -> int:\n    return a + b\n"
    )
    monkeypatch.chdir(task.folder)
    document = json.dumps({"inputs": {"parameterValues": {"a": 1, "b": 2}}, "outputs": task.outputs})
    assert main(["--executor_input", document, "--function_to_execute", "addUp"]) == 0
    assert json.loads(Path(task.outputs["outputFile"]).read_text()) == {"parameterValues": {"Output": 3}}


def test_a_component_that_no_list_has(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(task.folder)
    assert main(["--executor_input", json.dumps({"outputs": task.outputs}), "--function_to_execute", "f"]) == 1
    assert task.said() == (
        f"headrace: the component 'f' is not listed in {task.folder}/kfp_config.ini: "
        "build the target image with the component in it, or give --component_module_path\n"
    )


def test_it_runs_on_python_3_9_which_images_still_have(task: Task) -> None:
    """Nothing newer than 3.9 in what a container imports; the interpreter itself is tried where the machine has it."""
    from headrace.compiler.bootstrap import SCRIPT

    assert "sys.version_info < (3, 9)" in SCRIPT
    loaded = "import headrace.runtime.command_line, headrace.kfp_alias, json, sys; "
    loaded += "print(json.dumps([m.__file__ for n, m in sys.modules.items() if n.startswith('headrace')]))"
    files = json.loads(
        subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout
    )
    assert len(files) > 10
    for file in files:
        text = Path(file).read_text(encoding="utf-8")
        ast.parse(text, file, feature_version=(3, 9))
        assert not re.search(r"slots=True|strict=True|StrEnum|NoneType|removeprefix\(.*\bmatch\b", text), file
