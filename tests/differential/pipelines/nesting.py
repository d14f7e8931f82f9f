"""Pipelines as components: with defaults, several returns, artifacts, loops, conditions."""
from typing import List, NamedTuple, Optional

from kfp import dsl
from kfp.dsl import Dataset, Input, Output
from parts import add, double, echo, greet, perhaps, read, read_if_any, total, write


@dsl.pipeline
def twice(num: int, more: int = 1) -> int:
    return add(a=double(num=num).output, b=more).output


@dsl.pipeline
def said(name: str, word: str = 'Hello') -> NamedTuple('Said', [('text', str), ('name', str)]):
    from collections import namedtuple
    return namedtuple('Said', ['text', 'name'])(greet(name=name, greeting=word).output, echo(text=name).output)


@dsl.pipeline
def written(text: str) -> Dataset:
    return write(text=text).outputs['data']


@dsl.pipeline
def told(data: Input[Dataset]) -> str:
    return read(data=data).output


@dsl.pipeline
def summed(items: List[int]) -> int:
    with dsl.ParallelFor(items) as item:
        doubled = double(num=item)
    return total(nums=dsl.Collected(doubled.output)).output


@dsl.pipeline
def chosen(word: str) -> str:
    with dsl.If(word == 'a'):
        first = echo(text='first')
    with dsl.Else():
        other = echo(text='other')
    return dsl.OneOf(first.output, other.output)


@dsl.pipeline
def wrapped(text: Optional[str] = None) -> str:
    return perhaps(text=text).output


@dsl.pipeline(name='nesting-once')
def once(num: int = 4) -> int:
    return twice(num=num).output


@dsl.pipeline(name='nesting-used-twice')
def used_twice() -> int:
    return twice(num=twice(num=1).output, more=10).output


@dsl.pipeline(name='nesting-several-returns')
def several_returns() -> str:
    inner = said(name='Ada')
    return greet(name=inner.outputs['name'], greeting=inner.outputs['text']).output


@dsl.pipeline(name='nesting-artifacts')
def artifacts(text: str = 'deep') -> str:
    return told(data=written(text=text).output).output


@dsl.pipeline
def middle(num: int) -> int:
    return twice(num=twice(num=num).output).output


@dsl.pipeline(name='nesting-three-deep')
def three_deep(num: int = 1) -> int:
    return middle(num=num).output


@dsl.pipeline(name='nesting-loop-inside')
def loop_inside(items: List[int] = [1, 2, 3]) -> int:
    return summed(items=items).output


@dsl.pipeline(name='nesting-branches-inside')
def branches_inside(word: str = 'a') -> str:
    return echo(text=chosen(word=word).output).output


@dsl.pipeline(name='nesting-in-a-loop')
def in_a_loop() -> int:
    with dsl.ParallelFor([1, 2]) as item:
        inner = twice(num=item)
    return total(nums=dsl.Collected(inner.output)).output


@dsl.pipeline(name='nesting-in-a-condition')
def in_a_condition(word: str = 'go'):
    with dsl.If(word == 'go'):
        twice(num=3, more=0)


@dsl.pipeline(name='nesting-optional')
def optional(text: Optional[str] = None) -> str:
    return wrapped(text=text).output


PIPELINES = [
    once, used_twice, several_returns, artifacts, three_deep, loop_inside, branches_inside, in_a_loop, in_a_condition, optional,
]
