"""Loops over lists that say nothing of their items: parameters, and what a task puts out."""

from kfp import dsl


@dsl.component
def make() -> list:
    return [1.5, 2.5]


@dsl.component
def double(number: int, exact: float, switch: bool, label: str) -> str:
    assert type(number) is int and type(switch) is bool and type(label) is str
    return f"{number * 2} {exact * 2:g} {switch} {label}"


@dsl.component
def merge(several: list, named: dict) -> str:
    return f"{sum(several)} {sorted(named)}"


@dsl.pipeline(name="g67")
def pipeline(
    numbers: list = [1, 20], switches: list = [True], lists: list = [[1, 2]], dicts: list = [{"a": 1}]
) -> list[str]:
    with dsl.ParallelFor(make().output) as exact:
        with dsl.ParallelFor(switches) as switch:
            with dsl.ParallelFor(numbers) as number:
                with dsl.If(number > 1):
                    doubled = double(number=number, exact=exact, switch=switch, label=number)
    with dsl.ParallelFor(lists) as several:
        with dsl.ParallelFor(dicts) as named:
            merge(several=several, named=named)
    return dsl.Collected(doubled.output)
