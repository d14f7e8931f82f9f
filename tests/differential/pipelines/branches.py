"""Conditions, branches and OneOf, alone and with nesting and artifacts."""
from kfp import dsl
from kfp.dsl import Dataset
from parts import add, double, echo, is_even, read, write


@dsl.pipeline(name='branches-text')
def on_a_text(word: str = 'go'):
    with dsl.If(word == 'go'):
        echo(text='went')
    with dsl.If(word != 'go'):
        echo(text='stayed')


@dsl.pipeline(name='branches-numbers')
def on_numbers(n: int = 5):
    with dsl.If(n > 5):
        echo(text='more')
    with dsl.If(n >= 5):
        echo(text='at least')
    with dsl.If(n < 6):
        echo(text='less')


@dsl.pipeline(name='branches-output')
def on_an_output(num: int = 4):
    with dsl.If(double(num=num).output == 8):
        echo(text='eight')


@dsl.pipeline(name='branches-boolean')
def on_a_boolean(num: int = 4):
    even = is_even(num=num)
    with dsl.If(even.output == True):
        echo(text='even')
    with dsl.If(even.output == False):
        echo(text='odd')


@dsl.pipeline(name='branches-two-tasks')
def on_two_tasks(a: int = 2, b: int = 3):
    left, right = double(num=a), double(num=b)
    with dsl.If(left.output < right.output):
        add(a=left.output, b=right.output)


@dsl.pipeline(name='branches-else')
def with_else(word: str = 'go'):
    with dsl.If(word == 'go'):
        echo(text='went')
    with dsl.Else():
        echo(text='stayed')


@dsl.pipeline(name='branches-elif')
def with_elif(n: int = 2):
    with dsl.If(n == 1):
        echo(text='one')
    with dsl.Elif(n == 2):
        echo(text='two')
    with dsl.Elif(n == 3):
        echo(text='three')
    with dsl.Else():
        echo(text='many')


@dsl.pipeline(name='branches-nested')
def nested(a: str = 'x', b: str = 'y'):
    with dsl.If(a == 'x'):
        inner = echo(text='outer')
        with dsl.If(b == 'y'):
            echo(text=f'{inner.output} inner')


@dsl.pipeline(name='branches-one-of')
def one_of(word: str = 'go') -> str:
    with dsl.If(word == 'go'):
        went = echo(text='went')
    with dsl.Else():
        stayed = echo(text='stayed')
    return echo(text=dsl.OneOf(went.output, stayed.output)).output


@dsl.pipeline(name='branches-one-of-three-returned')
def one_of_three(n: int = 3) -> int:
    with dsl.If(n == 1):
        first = double(num=1)
    with dsl.Elif(n == 2):
        second = double(num=10)
    with dsl.Else():
        third = double(num=n)
    return dsl.OneOf(first.output, second.output, third.output)


@dsl.pipeline(name='branches-one-of-artifacts')
def one_of_artifacts(word: str = 'go') -> str:
    with dsl.If(word == 'go'):
        went = write(text='went')
    with dsl.Else():
        stayed = write(text='stayed')
    return read(data=dsl.OneOf(went.outputs['data'], stayed.outputs['data'])).output


@dsl.pipeline(name='branches-artifact-from-outside')
def artifact_from_outside(word: str = 'go'):
    written = write(text='outside')
    with dsl.If(word == 'go'):
        read(data=written.outputs['data'])


PIPELINES = [
    on_a_text, on_numbers, on_an_output, on_a_boolean, on_two_tasks, with_else, with_elif, nested, one_of, one_of_three, one_of_artifacts,
    artifact_from_outside,
]
