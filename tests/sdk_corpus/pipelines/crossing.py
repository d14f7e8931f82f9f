"""Values that cross the borders of groups in ways that are seldom written."""
from typing import List

from kfp import dsl
from steps import count, say, words


@dsl.container_component
def shown(number: int, said: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image='python:3.11', command=['sh', '-ec', 'mkdir -p "$(dirname "$1")"; printf %s "$0" > "$1"'], args=[number, said])


@dsl.pipeline
def inside() -> str:
    with dsl.ParallelFor(['a', 'b']) as item:
        made = say(text=item)
    return count(texts=dsl.Collected(made.output)).output


@dsl.pipeline(name='list-that-nothing-uses')
def list_that_nothing_uses(go: str = 'x', items: List[str] = ['a', 'b']):
    with dsl.If(go == 'x'):
        with dsl.ParallelFor(items):
            say(text='again')


@dsl.pipeline(name='lists-inside-of-items')
def lists_inside_of_items():
    with dsl.ParallelFor([{'n': [1, 2]}, {'n': [3]}]) as row:
        with dsl.ParallelFor(row.n) as number:
            shown(number=number)


@dsl.pipeline(name='same-list-thrice')
def same_list_thrice() -> str:
    list_ = words().output
    with dsl.ParallelFor(list_) as item:
        first = say(text=item)
    with dsl.ParallelFor(list_) as item:
        with dsl.If(item == 'x'):
            say(text=item)
    return count(texts=dsl.Collected(first.output)).output


PIPELINES = [list_that_nothing_uses, lists_inside_of_items, same_list_thrice]


def beyond():
    """What KFP's SDK does not compile."""
    @dsl.pipeline(name='groups-of-one-name')
    def groups_of_one_name(go: str = 'x', items: List[str] = ['c']) -> str:
        with dsl.If(go == 'x'):
            with dsl.ParallelFor(items) as item:
                say(text=item)
        return inside().output

    return [groups_of_one_name]
