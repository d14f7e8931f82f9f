"""A task that makes an artifact in a group, and one that reads it."""

from kfp import dsl


@dsl.container_component
def write(data: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec("busybox", ["sh", "-ec", 'mkdir -p "$(dirname "$0")"; echo rows > "$0"', data.path])


@dsl.container_component
def read(data: dsl.Input[dsl.Dataset], code: int):
    return dsl.ContainerSpec("busybox", ["sh", "-ec", 'cat "$0"; exit "$1"', data.path, code])


@dsl.pipeline(name="inner")
def inner() -> dsl.Dataset:
    return write().outputs["data"]


@dsl.pipeline(name="g51")
def pipeline():
    made = inner()
    read(data=made.output, code=3).set_retry(num_retries=1, backoff_duration="0s")
