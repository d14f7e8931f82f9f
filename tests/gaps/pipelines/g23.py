"""Values that look like placeholders, in one argument with other inputs."""

from kfp import dsl


@dsl.container_component
def join(a: str, b: str, said: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'printf %s "$1" > "$0"'], [said, f"{a}+{b}"])


@dsl.pipeline(name="g23")
def pipeline(a: str, b: str) -> str:
    return join(a=a, b=b).outputs["said"]
