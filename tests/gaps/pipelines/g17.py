"""A component refers to an input that has a default and that its task does not give."""

from kfp import dsl


@dsl.container_component
def train(said: dsl.OutputPath(str), rounds: int = 100, objective: str = "reg:squarederror"):
    script = 'printf "%s %s" "$1" "$2" > "$0"'
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", script], [said, rounds, objective])


@dsl.pipeline(name="g17")
def pipeline() -> str:
    return train(objective="given").outputs["said"]
