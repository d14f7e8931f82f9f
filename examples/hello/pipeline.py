"""The smallest pipeline with a hand-over: one task greets, the next one counts the letters. It installs no packages.

Compile it with the official SDK: `make examples` (in this folder: `kfp dsl compile --py pipeline.py --output pipeline.yaml`).
"""

from typing import NamedTuple

from kfp import dsl


@dsl.component(base_image="python:3.11")
def greet(name: str) -> str:
    greeting = f"Hello, {name}!"
    print(greeting)
    return greeting


@dsl.component(base_image="python:3.11")
def count_letters(text: str) -> int:
    letters = sum(character.isalpha() for character in text)
    print(f"{letters} letters in {text!r}")
    return letters


@dsl.pipeline(name="hello", description="Greet somebody, then count the letters of the greeting.")
def hello(name: str = "world") -> NamedTuple("Outputs", [("greeting", str), ("letters", int)]):
    greeted = greet(name=name)
    counted = count_letters(text=greeted.output)
    outputs = NamedTuple("Outputs", [("greeting", str), ("letters", int)])
    return outputs(greeted.output, counted.output)
