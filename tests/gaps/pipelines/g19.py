"""Metadata of artifacts in arguments: of an input that a task has described, and of an output."""

from kfp import dsl


@dsl.container_component
def make(data: dsl.Output[dsl.Dataset]):
    script = """
        echo text > "$0"
        printf '{"artifacts": {"data": {"artifacts": [{"name": "data", "metadata": {"rows": 3, "tags": ["a"]}}]}}}' > "$1"
    """
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", script], [data.path, "{{$.outputs.output_file}}"])


@dsl.container_component
def read(data: dsl.Input[dsl.Dataset], model: dsl.Output[dsl.Model], said: dsl.OutputPath(str)):
    script = 'printf "%s|%s|%s|%s" "$1" "$2" "$3" "$4" > "$0"'
    rows, tags, none = data.metadata["rows"], data.metadata["tags"], model.metadata["none"]
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", script], [said, rows, tags, data.metadata, none])


@dsl.pipeline(name="g19")
def pipeline() -> str:
    return read(data=make().outputs["data"]).outputs["said"]
