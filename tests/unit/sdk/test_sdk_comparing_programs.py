"""`headrace.comparing` of Python components: the bootstrap means nothing, what it installs and runs does."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
from typing import Any

import pytest

from headrace.comparing import differences
from headrace.comparing.programs import program

INSTALL = (
    '\nif ! [ -x "$(command -v pip)" ]; then\n    python3 -m ensurepip\nfi\n\n'
    'PIP_DISABLE_PIP_VERSION_CHECK=1 {} && "$0" "$@"\n'
)
RUNTIME = (
    "python3 -m pip install --quiet {}'kfp==2.17.3' '--no-deps' 'typing-extensions>=3.7.4,<5; python_version<\"3.9\"'"
)
START = '_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "$program_path/e.py" "$@"\n'
HEAD = "\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"
SOURCE = 'def train(lr: float) -> str:\n    """What it does."""\n    return str(lr)  # now\n'
ARGS = ["--executor_input", "{{$}}", "--function_to_execute", "train"]


def kfp(*packages: str, source: str = HEAD + SOURCE, options: str = "", before: str = "") -> list[str]:
    """The command of KFP 2.17."""
    installs = RUNTIME.format(options)
    if packages:
        words = " ".join(f"'{one}'" for one in packages)
        installs = f"python3 -m pip install --quiet {options}{words}  &&  {before}{installs}"
    return ["sh", "-c", INSTALL.format(installs), "sh", "-ec", START, source]


def archive(**files: str) -> str:
    """A component's source with FILES embedded, as KFP writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, text in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(text)
            made.addfile(info, io.BytesIO(text.encode()))
    packed = base64.b64encode(gzip.compress(buffer.getvalue())).decode()
    return f"{HEAD}__KFP_EMBEDDED_ARCHIVE_B64 = '{packed}'\nimport base64 as __kfp_b64\n__kfp_b64.b64decode('')\n\n{SOURCE}"


def test_what_a_component_runs_is_read_from_its_command():
    assert program(kfp("pandas==2.0", "numpy>=1", options="--index-url https://a/simple --trusted-host a "), ARGS) == {
        "function": "train",
        "packages": ["pandas==2.0", "numpy>=1"],
        "indexUrls": ["https://a/simple"],
        "trustedHosts": ["a"],
        "source": "def train(lr: float) -> str:\n    return str(lr)",
    }


def test_one_that_is_built_into_an_image_brings_no_source():
    assert program(["python3", "-m", "kfp.dsl.executor_main"], ARGS) == {"function": "train"}
    assert program(["python3", "-m", "headrace.runtime"], ARGS) == {"function": "train"}


@pytest.mark.parametrize(
    ("command", "args"),
    [(["sh", "-c", "true"], ARGS), (["python3", "-m", "kfp.dsl.executor_main"], ["x"]), ([], []), ("sh", None)],
)
def test_other_commands_are_nobodys_program(command, args):
    assert program(command, args) is None


def package(command: list[str]) -> dict[str, Any]:
    container = {"image": "python:3.11", "command": command, "args": ARGS}
    return {
        "pipelineInfo": {"name": "p"},
        "root": {},
        "deploymentSpec": {"executors": {"exec-a": {"container": container}}},
    }


@pytest.mark.parametrize(
    "command",
    [
        kfp("pandas==2.0", source="from typing import *\n\n\ndef train(lr: float) -> str:\n  return (str( lr ))\n"),
        kfp("pandas==2.0", source="import headrace\nfrom headrace import dsl\nfrom headrace.dsl import *\n" + SOURCE),
        [*kfp("pandas==2.0")[:5], START.replace("kfp.dsl.executor_main", "headrace.runtime"), HEAD + SOURCE],
    ],
    ids=["formatting", "first imports", "bootstrap"],
)
def test_formatting_docstrings_and_the_bootstrap_mean_nothing(command):
    assert differences(package(kfp("pandas==2.0")), package(command)) == []


PLACE = "deploymentSpec.executors.exec-a.container.program"


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (kfp("pandas==2.1"), f"{PLACE}.packages[0]"),
        (kfp("pandas==2.0", "numpy"), f"{PLACE}.packages[1]"),
        (kfp(), f"{PLACE}.packages"),
        (kfp("pandas==2.0", options="--index-url https://a "), f"{PLACE}.indexUrls"),
        (kfp("pandas==2.0", options="--trusted-host=a "), f"{PLACE}.trustedHosts"),
        (kfp("pandas==2.0", before='python3 -m venv "$tmp/venv" && '), f"{PLACE}.venv"),
        (kfp("pandas==2.0", source=HEAD + SOURCE.replace("str(lr)", "str(-lr)")), f"{PLACE}.source"),
        (kfp("pandas==2.0", source=HEAD + "import os\n" + SOURCE), f"{PLACE}.source"),
        (kfp("pandas==2.0", source=archive(a="1")), f"{PLACE}.embedded"),
    ],
)
def test_what_it_installs_and_runs_counts(command, place):
    assert [one.path for one in differences(package(kfp("pandas==2.0")), package(command))] == [place]


def test_embedded_files_count_by_what_they_hold():
    one, other = kfp(source=archive(a="1", b="2")), kfp(source=archive(b="2", a="1"))
    assert differences(package(one), package(other)) == []
    (found,) = differences(package(one), package(kfp(source=archive(a="1", b="3"))))
    assert found.path == f"{PLACE}.embedded.b"


def test_a_source_that_is_no_python_is_compared_as_text():
    one, other = (kfp(source=f"def train(:\n  {text}\n") for text in ("a", "b"))
    assert [found.path for found in differences(package(one), package(other))] == [f"{PLACE}.source"]
