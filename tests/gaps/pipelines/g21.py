"""The program itself, the first word of a command, is an input."""

from kfp import dsl


@dsl.container_component
def run(program: str, said: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", [program, "-ec", 'printf "run by %s" "$1" > "$0"'], [said, program])


@dsl.pipeline(name="g21")
def pipeline(program: str) -> str:
    return run(program=program).outputs["said"]
