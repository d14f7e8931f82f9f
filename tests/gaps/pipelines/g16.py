"""Names of the run and of its places, inside longer texts: in constants, in arguments and in a nested pipeline."""

from typing import Dict

from kfp import dsl

COMMAND = ["sh", "-ec", 'printf %s "$1" > "$0"']
NAMES = (
    f"{dsl.PIPELINE_JOB_NAME_PLACEHOLDER}|{dsl.PIPELINE_JOB_ID_PLACEHOLDER}|{dsl.PIPELINE_TASK_NAME_PLACEHOLDER}|"
    f"{dsl.PIPELINE_ROOT_PLACEHOLDER}|{dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER}"
)


@dsl.container_component
def say(text: str, said: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", COMMAND, [said, text])


@dsl.container_component
def names(said: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", COMMAND, [said, f"<{NAMES}>"])


@dsl.container_component
def task_id(said: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", COMMAND, [said, dsl.PIPELINE_TASK_ID_PLACEHOLDER])


@dsl.container_component
def metadata_file(said: dsl.OutputPath(str)):
    """Writes its output by way of the file that the executor reads outputs from."""
    script = """printf '{"parameterValues": {"said": "by file"}}' > "$0"; test -n "$1" """
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", script], ["{{$.outputs.output_file}}", said])


@dsl.container_component
def told(path: str, deep: Dict, said: dsl.OutputPath(Dict)):
    """Puts out the ExecutorInput that it gets, in which its inputs name a place of its own."""
    return dsl.ContainerSpec("python:3.11", COMMAND, [said, "{{$}}"])


@dsl.pipeline
def inner(text: str) -> str:
    return say(text=text).outputs["said"]


@dsl.pipeline(name="g16")
def pipeline():
    say(text=f"<{NAMES}>")
    names()
    task_id()
    task_id()
    metadata_file()
    told(
        path=dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER,
        deep={"in": [f"<{dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER}>"]},
    )
    inner(text=f"run {dsl.PIPELINE_JOB_ID_PLACEHOLDER}")
