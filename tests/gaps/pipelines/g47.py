"""A function that returns None although it says that it returns a text."""

from kfp import dsl


@dsl.component(base_image="python:3.11")
def nothing() -> str:
    return None


@dsl.component(base_image="python:3.11")
def use(text: str = "fallback") -> str:
    return text


@dsl.pipeline(name="g47")
def pipeline():
    use(text=nothing().output)
