"""Values: types, defaults, constants, optional inputs, several outputs, texts with references."""
from typing import Dict, List, NamedTuple, Optional

from kfp import dsl
from parts import add, describe, double, echo, greet, half, is_even, join, numbers, perhaps, settings, split, total, types


@dsl.pipeline(name='values-types')
def all_types(text: str = 'täxt "quoted"', whole: int = 7, real: float = 2.5, flag: bool = True, items: list = [1, 'a', [2]], table: dict = {'k': {'n': 1.5}}) -> str:
    return types(text=text, whole=whole, real=real, flag=flag, items=items, table=table).output


@dsl.pipeline(name='values-constants')
def constants() -> str:
    return types(text="it's {braced} \\ and \n new", whole=-3, real=1e-3, flag=False, items=[], table={'a': [1, {'b': False}]}).output


@dsl.pipeline(name='values-whole-numbers-for-real')
def whole_for_real(num: float = 3.0) -> float:
    return half(num=half(num=num).output).output


@dsl.pipeline(name='values-large-numbers')
def large_numbers(big: int = 9007199254740991) -> int:
    return add(a=big, b=-9007199254740990).output


@dsl.pipeline(name='values-defaults')
def defaults(name: str, greeting: str = 'Good day') -> NamedTuple('Said', [('own', str), ('given', str)]):
    from collections import namedtuple
    own = greet(name=name)
    given = greet(name=name, greeting=greeting)
    return namedtuple('Said', ['own', 'given'])(own.output, given.output)


@dsl.pipeline(name='values-optional')
def optional(text: Optional[str] = None, number: Optional[int] = None) -> str:
    return perhaps(text=text, number=number).output


@dsl.pipeline(name='values-optional-left-out')
def optional_left_out() -> str:
    return perhaps(number=4).output


@dsl.pipeline(name='values-several-outputs')
def several_outputs(text: str = 'headrace') -> NamedTuple('Parts', [('rest', str), ('length', int)]):
    from collections import namedtuple
    parts = split(text=text)
    again = split(text=parts.outputs['rest'])
    return namedtuple('Parts', ['rest', 'length'])(again.outputs['rest'], parts.outputs['length'])


@dsl.pipeline(name='values-texts-with-references')
def texts_with_references(project: str = 'mill', wheels: int = 3) -> str:
    first = echo(text=f'{project} has {wheels} wheels')
    return echo(text=f'<{first.output}> says {project}').output


@dsl.pipeline(name='values-references-in-structures')
def references_in_structures(name: str = 'Ada') -> str:
    said = echo(text='x')
    return describe(value={'who': f'{name}', 'inner': {'said': f'{said.output}!'}}).output


@dsl.pipeline(name='values-lists-handed-on')
def lists_handed_on(count: int = 4) -> int:
    return total(nums=numbers(count=count).output).output


@dsl.pipeline(name='values-structures-handed-on')
def structures_handed_on(depth: int = 2) -> str:
    return describe(value=settings(depth=depth).output).output


@dsl.pipeline(name='values-booleans-handed-on')
def booleans_handed_on(num: int = 3) -> bool:
    return is_even(num=double(num=num).output).output


@dsl.pipeline(name='values-order-without-data')
def order_without_data() -> str:
    first = echo(text='first')
    second = echo(text='second').after(first)
    third = join(texts=['a', 'b']).after(first, second)
    return third.output


PIPELINES = [
    all_types, constants, whole_for_real, large_numbers, defaults, optional, optional_left_out, several_outputs, texts_with_references,
    references_in_structures, lists_handed_on, structures_handed_on, booleans_handed_on, order_without_data,
]
