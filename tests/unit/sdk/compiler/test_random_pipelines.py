"""Random pipelines of nested groups compile the same way each time, to what the platform accepts, and read back the same."""

import hashlib
import os
import subprocess
import sys
from typing import Any, Dict, List, NamedTuple  # noqa: UP035  # as authors write them

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from headrace import dsl, kubernetes
from headrace.compiler.package import Package
from headrace.dsl.annotations import Input, Output
from headrace.dsl.artifacts import Dataset
from headrace_ir.reading import read_package
from headrace_ir.validating import validate

IMAGE = "python:3.11"
Kinds = dict[str, list[Any]]


@dsl.component(base_image=IMAGE)
def double(n: int) -> int:
    return 2 * n


@dsl.component(base_image=IMAGE)
def say(s: str) -> str:
    return s


@dsl.component(base_image=IMAGE)
def numbers(n: int) -> List[int]:  # noqa: UP006
    return list(range(n))


@dsl.component(base_image=IMAGE)
def rows(n: int) -> List[Dict[str, int]]:  # noqa: UP006
    return [{"a": n}]


@dsl.component(base_image=IMAGE)
def total(items: List[int]) -> int:  # noqa: UP006
    return sum(items)


@dsl.component(base_image=IMAGE)
def write(s: str, data: Output[Dataset] = dsl.OUTPUT) -> None:
    with open(data.path, "w") as file:
        file.write(s)


@dsl.component(base_image=IMAGE)
def read(data: Input[Dataset]) -> int:
    return len(data.path)


@dsl.component(base_image=IMAGE)
def read_all(data: Input[List[Dataset]]) -> int:  # noqa: UP006
    return len(data)


@dsl.component(base_image=IMAGE)
def ended(status: dsl.PipelineTaskFinalStatus) -> None:
    print(status.state)


class Both(NamedTuple):
    n: int
    s: str


@dsl.pipeline
def inner(n: int, s: str = "x") -> Both:
    with dsl.ParallelFor([1, 2]) as item:
        each = double(n=item)
    return Both(total(items=dsl.Collected(each.output)).output, say(s=f"{s} {n}").output)


@dsl.pipeline
def files(texts: List[str]) -> List[Dataset]:  # noqa: UP006
    with dsl.ParallelFor(texts) as text:
        made = write(s=text)
    return dsl.Collected(made.outputs["data"])


class Author:
    """Writes a pipeline as a row of numbers says. What is in `values` can be used where it writes."""

    def __init__(self, row: list[int]) -> None:
        self._row = iter(row)
        self._left = len(row)

    def pick(self, count: int) -> int:
        self._left -= 1
        return next(self._row, 0) % count

    def one_of(self, values: list[Any]) -> Any:
        return values[self.pick(len(values))]

    def write(self, values: Kinds, depth: int) -> None:
        for _ in range(1 + self.pick(3)):
            made = (
                self.task, self.task, self.branch, self.loop, self.branches, self.ends, self.nested, self.over_files,
                self.twice, self.set,
            )  # fmt: skip
            kind = self.pick(len(made)) if self._left > 0 and depth < 4 else 0
            made[kind](values, depth)

    def task(self, values: Kinds, depth: int) -> None:
        kind = self.pick(8)
        number, text = self.one_of(values["number"]), self.one_of(values["text"])
        if kind == 0:
            values["number"].append(double(n=number).output)
        elif kind == 1:
            values["text"].append(say(s=text).output)
        elif kind == 2:
            values["text"].append(say(s=f"{text} and {number}").set_cpu_limit(text).output)
        elif kind == 3:
            values["list"].append(numbers(n=number).output)
        elif kind == 4:
            values["rows"].append(rows(n=number).output)
        elif kind == 5:
            values["data"].append(write(s=text).set_env_variable("N", f"{number}").outputs["data"])
        elif values["data"]:
            values["number"].append(read(data=self.one_of(values["data"])).output)
        else:
            last = double(n=number)
            last.after(say(s=text).set_caching_options(False))

    def condition(self, values: Kinds) -> Any:
        number, other = self.one_of(values["number"]), self.one_of(values["number"])
        return (number > 3, number == other, self.one_of(values["text"]) == "it's", number != "4")[self.pick(4)]

    def branch(self, values: Kinds, depth: int) -> None:
        with dsl.If(self.condition(values)):
            self.write(inside(values), depth + 1)

    def branches(self, values: Kinds, depth: int) -> None:
        outputs = []
        with dsl.If(self.condition(values)):
            self.write(inside(values), depth + 1)
            outputs.append(double(n=self.one_of(values["number"])).output)
        if self.pick(2):
            with dsl.Elif(self.condition(values)):
                outputs.append(double(n=1).output)
        with dsl.Else():
            self.write(inside(values), depth + 1)
            outputs.append(double(n=self.one_of(values["number"])).output)
        values["number"].append(dsl.OneOf(*outputs))

    def loop(self, values: Kinds, depth: int) -> None:
        kind, mine = self.pick(5), inside(values)
        items: Any = (
            [1, 2, 3],
            [{"a": 1, "b": 2}],
            [{"b": [1, 2]}],
            *(self.one_of(values[each]) for each in ("list", "rows")),
        )
        with dsl.ParallelFor(items[kind], parallelism=self.pick(3)) as item:
            if kind in (0, 3):
                mine["number"].append(item)
            elif kind == 2:
                mine["list"].append(item.b)
            else:
                mine["number"].append(item.a)
            self.write(mine, depth + 1)
            each = double(n=self.one_of(mine["number"])).output
            file = write(s=self.one_of(mine["text"])).outputs["data"]
        if self.pick(2):
            values["number"].append(total(items=dsl.Collected(each)).output)
        if self.pick(2):
            values["number"].append(read_all(data=dsl.Collected(file)).output)

    def ends(self, values: Kinds, depth: int) -> None:
        if depth:
            return self.task(values, depth)
        with dsl.ExitHandler(ended()):
            self.write(inside(values), depth + 1)

    def over_files(self, values: Kinds, depth: int) -> None:
        with dsl.ParallelFor(files(texts=["a", "b"]).output) as file:
            mine = inside(values)
            mine["data"].append(file)
            self.write(mine, depth + 1)
            each = read(data=self.one_of(mine["data"])).output
        values["number"].append(total(items=dsl.Collected(each)).output)

    def twice(self, values: Kinds, depth: int) -> None:
        with dsl.ParallelFor([1, 2]) as outer, dsl.ParallelFor(self.one_of(values["list"])) as item:
            mine = inside(values)
            mine["number"] += [outer, item]
            self.write(mine, depth + 2)
            each = double(n=self.one_of(mine["number"])).output
        values["number"].append(total(items=dsl.Collected(each)).output)

    def set(self, values: Kinds, depth: int) -> None:
        text = self.one_of(values["text"])
        last = (
            say(s="x").set_container_image(f"python:{text}").set_memory_limit(text).set_retry(2).set_display_name("X")
        )
        kubernetes.use_secret_as_volume(last, secret_name=self.one_of(values["text"]), mount_path="/x")

    def nested(self, values: Kinds, depth: int) -> None:
        outputs = inner(n=self.one_of(values["number"])).outputs
        values["number"].append(outputs["n"])
        values["text"].append(outputs["s"])


def inside(values: Kinds) -> Kinds:
    return {name: list(each) for name, each in values.items()}


def written(row: list[int]) -> Package:
    @dsl.pipeline(name="random")
    def flow(number: int, text: str, items: List[int], table: List[Dict[str, int]]):  # noqa: UP006
        Author(row).write({"number": [number], "text": [text], "list": [items], "rows": [table], "data": []}, 0)

    return flow.package


def digest(row: list[int]) -> str:
    return hashlib.sha256(written(row).to_yaml().encode()).hexdigest()


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(some.lists(some.integers(0, 839), min_size=1, max_size=80))
def test_any_pipeline_compiles_to_what_the_platform_accepts(row):
    package = written(row)
    text = package.to_yaml()
    assert written(row).to_yaml() == text
    assert Package.from_text(text) == package
    assert [str(each) for each in validate(read_package(text.encode(), "flow.yaml"))] == []


@pytest.mark.parametrize("seed", ["0", "1"])
def test_the_order_of_sets_decides_nothing(seed):
    row = list(range(7, 800, 11))
    program = f"import test_random_pipelines as t; print(t.digest({row}))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.path.dirname(__file__)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == digest(row)
