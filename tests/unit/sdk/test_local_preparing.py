"""What a call submits: its arguments, and packages that are changed for where their components run."""

from __future__ import annotations

import sys

import pytest

from headrace import dsl
from headrace.compiler import bootstrap
from headrace.compiler.compiling import compile_component
from headrace.compiler.writing import package_of
from headrace.dsl.mistakes import DefinitionError
from headrace.local import preparing, rewriting


@dsl.component
def plain(a: int) -> float:
    return a / 2


@dsl.component(packages_to_install=["left-pad==1.0"])
def packed(a: int) -> int:
    return a


@dsl.component
def taking(data: dsl.Input[dsl.Dataset], n: int = 1) -> int:
    return n


@dsl.container_component
def shell(word: str):
    return dsl.ContainerSpec(image="busybox", command=["echo"], args=[word])


@dsl.pipeline
def both():
    plain(a=1)
    packed(a=1)
    shell(word="x")


def command(package, label):
    return package.spec["deploymentSpec"]["executors"][label]["container"]["command"]


def test_components_without_packages_run_with_this_interpreter():
    package = package_of(both)
    changed = rewriting.in_this_environment(package, lambda source: f"/sources/{len(source)}.py")
    source = bootstrap.read(command(package, "exec-plain")).source
    assert command(changed, "exec-plain") == [
        sys.executable,
        "-m",
        "headrace.runtime",
        "--component_module_path",
        f"/sources/{len(source)}.py",
    ]
    for label in ("exec-packed", "exec-shell"):
        assert command(changed, label) == command(package, label)
    assert command(package, "exec-plain")[0] == "sh"


def test_python_executors_and_containers_are_told_apart():
    package = package_of(both)
    found = {one.label: (one.function, one.packages) for one in rewriting.python_executors(package)}
    assert found == {"exec-plain": ("plain", ()), "exec-packed": ("packed", ("left-pad==1.0",))}
    assert rewriting.containers(package) == ["exec-shell"]


def test_a_command_of_kfps_sdk_is_known():
    program = 'program_path=$(mktemp -d)\n_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main "$@"'
    told = ["sh", "-c", "pip install kfp", "sh", "-ec", program, "def f(): pass"]
    package = compile_component(plain)
    package = rewriting.with_commands(package, {"exec-plain": told})
    [found] = rewriting.python_executors(package)
    assert (found.source, found.as_kfp) == ("def f(): pass", True)
    assert rewriting.in_this_environment(package, str) == package


def test_arguments_are_parameters_and_artifacts(tmp_path):
    data = dsl.Dataset(uri=str(tmp_path / "a b"))
    assert preparing.arguments(taking, {"data": data, "n": 3}) == ({"n": 3}, {"data": f"file://{tmp_path}/a%20b"})
    stored = dsl.Dataset(uri="s3://bucket/x")
    assert preparing.arguments(taking, {"data": stored}) == ({}, {"data": "s3://bucket/x"})
    assert preparing.floats(plain) == {"Output"}
    assert preparing.floats(taking) == frozenset()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: preparing.arguments(taking, {"data": "/a/path"}),
            "taking() takes an artifact as 'data', got a value of type str; pass what another call put out, "
            "or dsl.Artifact(uri=…)",
        ),
        (
            lambda: preparing.arguments(taking, {"data": dsl.Dataset()}),
            "taking() is given an artifact without a URI as 'data'; pass dsl.Artifact(uri=…)",
        ),
        (
            lambda: preparing.arguments(taking, {"n": object()}),
            "The input 'n' of 'taking' takes an int, but is given an object; "
            "a constant is a str, int, float, bool, list or dict.",
        ),
        (
            lambda: preparing.arguments(taking, {"n": "x"}),
            "The input 'n' of 'taking' takes an int, but is given a str: 'x'.",
        ),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(DefinitionError) as caught:
        call()
    assert str(caught.value) == f"{__file__}:{call.__code__.co_firstlineno}: {message}"
