"""Cached tasks at the root, in a condition and in a loop; each puts out what is never the same twice."""

from kfp import dsl


@dsl.container_component
def unique(name: str, text: dsl.OutputPath(str)):
    return dsl.ContainerSpec("python:3.11", ["sh", "-ec", 'mktemp -u > "$0"'], [text, name])


@dsl.pipeline(name="g57")
def pipeline(wanted: str):
    unique(name="root")
    unique(name="off").set_display_name("off").set_caching_options(False)
    with dsl.If(wanted == "yes"):
        unique(name="branch")
    with dsl.ParallelFor(["a", "b"]) as item:
        unique(name=item)
