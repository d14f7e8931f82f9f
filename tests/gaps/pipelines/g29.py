"""A task that tolerates failures waits for two others, one of which fails; a second one waits for the same."""

from kfp import dsl


@dsl.container_component
def work(code: int):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'exit "$0"'], [code])


@dsl.container_component
def tidy():
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", "echo tidy"])


@dsl.pipeline(name="g29")
def pipeline():
    one, two = work(code=1), work(code=0)
    tidy().after(one, two).ignore_upstream_failure()
    tidy().after(one).ignore_upstream_failure()
