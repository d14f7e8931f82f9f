"""A loop of which one iteration fails until a file is there."""

from kfp import dsl


@dsl.container_component
def step(name: str, counter: str, needed: str):
    return dsl.ContainerSpec(
        "busybox", ["sh", "-ec", 'echo "$0" >> "$1"; test "$0" != b || test -e "$2"', name, counter, needed]
    )


@dsl.pipeline(name="g52")
def pipeline(counter: str, needed: str):
    before = step(name="before", counter=counter, needed=needed)
    with dsl.ParallelFor(["a", "b"]) as name:
        inside = step(name=name, counter=counter, needed=needed).after(before)
