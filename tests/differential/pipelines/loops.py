"""Loops alone and with conditions, nesting, artifacts and what is collected."""
from typing import Dict, List

from kfp import dsl
from kfp.dsl import Artifact, Dataset
from parts import add, double, echo, greet, is_even, join, numbers, people, read, read_all, reversed_list, several, total, write


@dsl.pipeline(name='loops-numbers')
def over_numbers():
    with dsl.ParallelFor([1, 2, 3]) as item:
        double(num=item)


@dsl.pipeline(name='loops-parameter')
def over_a_parameter(items: List[str] = ['x', 'y'], prefix: str = 'item'):
    with dsl.ParallelFor(items) as item:
        echo(text=f'{prefix} {item}')


@dsl.pipeline(name='loops-output')
def over_an_output(count: int = 3):
    with dsl.ParallelFor(numbers(count=count).output) as item:
        add(a=item, b=count)


@dsl.pipeline(name='loops-nothing')
def over_nothing(items: List[int] = []) -> str:
    with dsl.ParallelFor(items) as item:
        double(num=item)
    return echo(text='goes on').output


@dsl.pipeline(name='loops-fields')
def over_fields():
    with dsl.ParallelFor([{'who': 'Ada', 'word': 'Hi'}, {'who': 'Emmy', 'word': 'Ho'}]) as item:
        greet(name=item.who, greeting=item.word)


@dsl.pipeline(name='loops-fields-of-an-output')
def over_fields_of_an_output():
    with dsl.ParallelFor(people().output) as person:
        greet(name=person.who, greeting=person.town)


@dsl.pipeline(name='loops-parallelism')
def few_at_a_time():
    with dsl.ParallelFor([1, 2, 3, 4], parallelism=1) as item:
        double(num=double(num=item).output)


@dsl.pipeline(name='loops-collected')
def collected(items: List[int] = [1, 5, 10]) -> int:
    with dsl.ParallelFor(items) as item:
        doubled = double(num=item)
    return total(nums=dsl.Collected(doubled.output)).output


@dsl.pipeline(name='loops-collected-returned')
def collected_and_returned() -> List[str]:
    with dsl.ParallelFor(['b', 'a', 'c']) as item:
        said = echo(text=item)
    return dsl.Collected(said.output)


@dsl.pipeline(name='loops-collected-twice')
def collected_twice() -> str:
    with dsl.ParallelFor([2, 3]) as item:
        first = double(num=item)
        second = echo(text='n')
    total(nums=dsl.Collected(first.output))
    return join(texts=dsl.Collected(second.output)).output


@dsl.pipeline(name='loops-over-what-was-collected')
def over_what_was_collected():
    with dsl.ParallelFor([1, 2]) as item:
        doubled = double(num=item)
    with dsl.ParallelFor(reversed_list(nums=dsl.Collected(doubled.output)).output) as again:
        double(num=again)


@dsl.pipeline(name='loops-collected-artifacts')
def collected_artifacts() -> str:
    with dsl.ParallelFor(['one', 'two']) as item:
        written = write(text=item)
    return read_all(data=dsl.Collected(written.outputs['data'])).output


@dsl.pipeline(name='loops-artifacts')
def over_artifacts():
    with dsl.ParallelFor(several(texts=['p', 'q', 'r']).output) as part:
        read(data=part)


@dsl.pipeline(name='loops-artifact-from-outside')
def artifact_from_outside():
    written = write(text='shared')
    with dsl.ParallelFor([1, 2]) as item:
        read(data=written.outputs['data'])
        double(num=item)


@dsl.pipeline(name='loops-conditions')
def conditions_inside(limit: int = 2):
    with dsl.ParallelFor([1, 2, 3]) as item:
        with dsl.If(item > limit):
            double(num=item)
        with dsl.If(item <= limit):
            add(a=item, b=limit)


@dsl.pipeline(name='loops-decided-by-a-task')
def decided_by_a_task():
    with dsl.ParallelFor([1, 2]) as item:
        even = is_even(num=item)
        with dsl.If(even.output == True):
            double(num=item)


@dsl.pipeline(name='loops-nested')
def nested():
    with dsl.ParallelFor([1, 2]) as outer:
        with dsl.ParallelFor([10, 20]) as inner:
            add(a=outer, b=inner)


@dsl.pipeline(name='loops-inside-a-condition')
def inside_a_condition(wanted: str = 'yes'):
    with dsl.If(wanted == 'yes'):
        with dsl.ParallelFor([1, 2]) as item:
            double(num=item)


PIPELINES = [
    over_numbers, over_a_parameter, over_an_output, over_nothing, over_fields, over_fields_of_an_output, few_at_a_time, collected,
    collected_and_returned, collected_twice, over_what_was_collected, collected_artifacts, over_artifacts, artifact_from_outside,
    conditions_inside, decided_by_a_task, nested, inside_a_condition,
]
