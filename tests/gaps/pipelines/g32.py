"""An exit task that fails after work that went well."""

from kfp import dsl


@dsl.container_component
def work(code: int):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'exit "$0"'], [code])


@dsl.pipeline(name="g32")
def pipeline():
    tidy = work(code=3)
    with dsl.ExitHandler(tidy, name="guarded"):
        work(code=0)
