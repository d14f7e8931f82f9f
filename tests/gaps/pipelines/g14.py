"""A task that tolerates a failure takes a number that the failed task never wrote."""

from kfp import dsl


@dsl.container_component
def fail(number: dsl.OutputPath(int)):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", "exit 1"], [number])


@dsl.container_component
def say(said: dsl.OutputPath(str), number: int = 7):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'printf %s "$1" > "$0"'], [said, number])


@dsl.pipeline(name="g14")
def pipeline():
    say(number=fail().outputs["number"]).ignore_upstream_failure()
