"""Random pipelines as the text of a Python file, for whichever SDK: the same text is given to KFP's and to ours.

Every construct of the DSL in any nesting: loops over lists, outputs and fields, conditions on all types, branches with OneOf,
Collected, exit handlers, nested pipelines, constants that embed values, settings. What is written is what KFP takes; where it
would not (an output used outside its branch), nothing is written. Called by tests/peers/test_random_pipelines.py.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

COMPONENTS = """
from typing import Dict, List, NamedTuple, Optional
from {module} import dsl
from {module}.dsl import Artifact, Dataset, Input, Model, Output

@dsl.component(base_image="python:3.11")
def an_int(seed: int = 1) -> int:
    return seed

@dsl.component(base_image="python:3.11", packages_to_install=["wheel"])
def a_str(text: str = "a", number: Optional[int] = None) -> str:
    return text

@dsl.component(base_image="python:3.11")
def a_float(number: float = 0.5) -> float:
    return number

@dsl.component(base_image="python:3.11")
def a_bool(flag: bool = True) -> bool:
    return flag

@dsl.component(base_image="python:3.11")
def a_list(length: int = 2) -> List[int]:
    return list(range(length))

@dsl.component(base_image="python:3.11")
def a_dict(key: str = "k") -> Dict[str, int]:
    return {key: 1}

@dsl.component(base_image="python:3.11")
def dicts(seed: int = 1) -> List[Dict[str, str]]:
    return [dict(a="1", b="2")]

@dsl.component(base_image="python:3.11")
def two(seed: int) -> NamedTuple("Outputs", [("number", int), ("text", str)]):
    return seed, "x"

@dsl.component(base_image="python:3.11")
def a_dataset(out: Output[Dataset], text: str = "x"):
    open(out.path, "w").write(text)

@dsl.component(base_image="python:3.11")
def read(data: Input[Dataset]) -> str:
    return open(data.path).read()

@dsl.component(base_image="python:3.11")
def read_all(data: Input[List[Dataset]]) -> int:
    return len(data)

@dsl.component(base_image="python:3.11")
def total(numbers: List[int]) -> int:
    return sum(numbers)

@dsl.component(base_image="python:3.11")
def look(anything: dict, things: list = [1]):
    print(anything, things)

@dsl.component(base_image="python:3.11")
def at_end(text: str = "end"):
    print(text)

@dsl.container_component
def shell(text: str, number: int = 3):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-c", "echo $0 $1"], args=[text, number])

@dsl.pipeline(name="inner-one")
def inner(number: int, text: str = "inner") -> int:
    made = an_int(seed=number)
    with dsl.If(made.output == 3):
        shell(text=text)
    return made.output
"""
TAKES = {
    "an_int": {"seed": "int"},
    "a_str": {"text": "str", "number": "int"},
    "a_float": {"number": "float"},
    "a_bool": {"flag": "bool"},
    "a_list": {"length": "int"},
    "a_dict": {"key": "str"},
    "dicts": {"seed": "int"},
    "two": {"seed": "int"},
    "a_dataset": {"text": "str"},
    "read": {"data": "dataset"},
    "total": {"numbers": "list"},
    "look": {"anything": "dict", "things": "list"},
    "shell": {"text": "str", "number": "int"},
    "inner": {"number": "int", "text": "str"},
    "at_end": {"text": "str"},
}
NEEDED = {
    "seed": ("two",),
    "data": ("read",),
    "numbers": ("total",),
    "anything": ("look",),
    "text": ("shell",),
    "number": ("inner",),
}
GIVES = {
    "an_int": "int",
    "a_str": "str",
    "a_float": "float",
    "a_bool": "bool",
    "a_list": "list",
    "a_dict": "dict",
    "dicts": "dicts",
    "a_dataset": "dataset",
    "read": "str",
    "total": "int",
    "inner": "int",
}
CONSTANTS = {
    "int": ("0", "1", "7", "-3"),
    "str": ('"a"', '"it is"', '""', '"{x}"'),
    "float": ("0.5", "2.0", "1e-3"),
    "bool": ("True", "False"),
    "list": ("[1, 2]", "[]", '["a", 1, {"b": [2]}]'),
    "dict": ('{"k": 1}', "{}", '{"a": {"b": [1, 2.5, "c"]}}'),
}
SETTERS = (
    ".set_display_name('Shown')",
    ".set_caching_options(False)",
    ".set_caching_options(True, cache_key='key')",
    ".set_retry(2)",
    ".set_retry(3, backoff_duration='10s', backoff_factor=2.0, backoff_max_duration='60s')",
    ".set_cpu_limit('500m')",
    ".set_cpu_request('1').set_cpu_limit('2')",
    ".set_memory_limit('1G')",
    ".set_memory_request('512Mi')",
    ".set_env_variable('NAME', 'value')",
    ".set_accelerator_type('nvidia.com/gpu').set_accelerator_limit(1)",
)


@dataclass
class Scope:
    """One group: what can be used in it, by type; `outer` is what the groups around it have."""

    depth: int
    outer: Scope | None = None
    values: dict[str, list[str]] = field(default_factory=dict)
    tasks: list[str] = field(default_factory=list)
    in_loop: bool = False

    def of(self, kind: str) -> list[str]:
        return self.values.get(kind, []) + (self.outer.of(kind) if self.outer else [])

    def add(self, kind: str, text: str) -> None:
        self.values.setdefault(kind, []).append(text)


class Writer:
    """Writes one file. The same seed gives the same text."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lines: list[str] = []
        self._count = 0
        self._left = self._random.randint(3, 14)

    def text(self) -> str:
        root = Scope(0)
        inputs = {
            "p_int": ("int", "3"),
            "p_str": ("str", '"text"'),
            "p_list": ("list", None),
            "p_flag": ("bool", "True"),
        }
        given = [name for name in inputs if self._random.random() < 0.6]
        kinds = {"int": "int", "str": "str", "list": "List[int]", "bool": "bool"}
        signature = []
        for name in sorted(given, key=lambda name: inputs[name][1] is not None):
            kind, default = inputs[name]
            root.add(kind, name)
            signature.append(f"{name}: {kinds[kind]}" + (f" = {default}" if default else ""))
        while self._left > 0:
            self._statement(root, "    ")
        returned = self._random.choice([None, *root.values.get("int", [])[-2:]])
        arrow = ""
        if returned and returned.startswith("t"):
            arrow = " -> int"
            self._lines.append(f"    return {returned}")
        head = f'@dsl.pipeline(name="random-pipeline")\ndef flow({", ".join(signature)}){arrow}:\n'
        return COMPONENTS + "\n" + head + "\n".join(self._lines) + "\n"

    def _name(self) -> str:
        self._count += 1
        return f"t{self._count}"

    def _statement(self, scope: Scope, indent: str) -> None:
        choices = [self._task] * 6
        if scope.depth < 3:
            choices += [self._loop, self._loop, self._if, self._branches]
        if scope.depth == 0:
            choices += [self._exit_handler, self._artifact_loop]
        self._left -= 1
        self._random.choice(choices)(scope, indent)

    def _body(self, scope: Scope, indent: str) -> None:
        self._task(scope, indent)
        for _ in range(self._random.randint(0, 2)):
            if self._left > 0:
                self._statement(scope, indent)

    def _value(self, scope: Scope, kind: str) -> str | None:
        found = scope.of(kind)
        if kind == "dataset":
            return self._random.choice(found) if found else None
        if (
            kind == "str"
            and self._random.random() < 0.3
            and (inside := scope.of("int") + scope.of("str") + scope.of("bool"))
        ):
            return (
                'f"' + " and ".join("{" + one + "}" for one in self._random.sample(inside, min(2, len(inside)))) + '"'
            )
        if kind == "dict" and self._random.random() < 0.4 and (inside := scope.of("int") + scope.of("str")):
            return '{"a": ' + self._random.choice(inside) + ', "b": [' + self._random.choice(inside) + "]}"
        if found and self._random.random() < 0.7:
            return self._random.choice(found)
        return self._random.choice(CONSTANTS[kind])

    def _task(self, scope: Scope, indent: str) -> None:
        component = self._random.choice(list(TAKES))
        arguments = []
        for name, kind in TAKES[component].items():
            needed = component in NEEDED.get(name, ())
            if not needed and self._random.random() < 0.4:
                continue
            value = self._value(scope, kind)
            if value is None:
                return self._simple(scope, indent)
            arguments.append(f"{name}={value}")
        task, setters = self._name(), ""
        if self._random.random() < 0.25 and component != "inner":
            setters = self._random.choice(SETTERS)
        if scope.tasks and self._random.random() < 0.15:
            setters += f".after({self._random.choice(scope.tasks)})"
        self._lines.append(f"{indent}{task} = {component}({', '.join(arguments)}){setters}")
        scope.tasks.append(task)
        if component == "two":
            scope.add("int", f"{task}.outputs['number']")
            scope.add("str", f"{task}.outputs['text']")
        elif component in GIVES:
            scope.add(GIVES[component], f"{task}.output" if component != "a_dataset" else f"{task}.outputs['out']")
        return None

    def _simple(self, scope: Scope, indent: str) -> None:
        task = self._name()
        self._lines.append(f"{indent}{task} = an_int()")
        scope.tasks.append(task)
        scope.add("int", f"{task}.output")

    def _loop(self, scope: Scope, indent: str) -> None:
        item, kind = f"i{self._count}", "int"
        source = self._random.random()
        inner = Scope(scope.depth + 1, scope, in_loop=True)
        if source < 0.3:
            items = self._random.choice(["[1, 2, 3]", "[1.5, 2.5]", '["a", "b"]'])
            kind = {"[1": "int", "[1.": "float", '["': "str"}["[1." if "." in items else items[:2]]
        elif source < 0.5:
            items, kind = '[{"a": 1, "b": 5}, {"a": 2, "b": 6}]', "dict"  # KFP gives all fields the type of the first
        elif source < 0.65 and (found := scope.of("dicts")):
            items, kind = self._random.choice(found), "fields"
        elif found := scope.of("list"):
            items = self._random.choice(found)
        else:
            items = "[1, 2]"
        limit = self._random.choice(["", "", ", parallelism=2", ", name='Named loop'"])
        self._lines.append(f"{indent}with dsl.ParallelFor({items}{limit}) as {item}:")
        if kind in ("dict", "fields"):
            for key in "ab":
                inner.add("str" if kind == "fields" else "int", f"{item}.{key}")
        if kind != "fields":
            inner.add(kind, item)
        self._body(inner, indent + "    ")
        self._collect(scope, inner, indent)

    def _artifact_loop(self, scope: Scope, indent: str) -> None:
        task, item, later = self._name(), self._name(), self._name()
        self._lines += [
            f"{indent}with dsl.ParallelFor([1, 2]) as {item}:",
            f"{indent}    {task} = a_dataset(text='x')",
            f"{indent}{later} = read_all(data=dsl.Collected({task}.outputs['out']))",
        ]
        scope.tasks.append(later)
        scope.add("int", f"{later}.output")

    def _collect(self, scope: Scope, inner: Scope, indent: str) -> None:
        made = [value for value in inner.values.get("int", []) if value.startswith("t")]
        if made and scope.depth == 0 and self._random.random() < 0.6:
            task = self._name()
            self._lines.append(f"{indent}{task} = total(numbers=dsl.Collected({self._random.choice(made)}))")
            scope.tasks.append(task)
            scope.add("int", f"{task}.output")

    def _condition(self, scope: Scope) -> str | None:
        kinds = [kind for kind in ("int", "str", "float", "bool") if scope.of(kind)]
        if not kinds:
            return None
        kind = self._random.choice(kinds)
        left = self._random.choice(scope.of(kind))
        operator = "==" if kind == "bool" else self._random.choice(["==", "!=", "<", "<=", ">", ">="])
        right = self._random.choice([*CONSTANTS[kind][:2], *scope.of(kind)[:1]])
        return f"{left} {operator} {right}"

    def _if(self, scope: Scope, indent: str) -> None:
        condition = self._condition(scope)
        if condition is None:
            return self._simple(scope, indent)
        named = self._random.choice(["", "", ", name='Named condition'"])
        self._lines.append(f"{indent}with dsl.If({condition}{named}):")
        self._body(Scope(scope.depth + 1, scope, in_loop=scope.in_loop), indent + "    ")
        return None

    def _branches(self, scope: Scope, indent: str) -> None:
        first, second = self._condition(scope), self._condition(scope)
        if first is None or second is None:
            return self._simple(scope, indent)
        heads = [f"dsl.If({first})", *([f"dsl.Elif({second})"] if self._random.random() < 0.5 else []), "dsl.Else()"]
        made = []
        for head in heads:
            inner = Scope(scope.depth + 1, scope, in_loop=scope.in_loop)
            self._lines.append(f"{indent}with {head}:")
            self._simple(inner, indent + "    ")
            made.append(inner.values["int"][0])
            if self._left > 0 and self._random.random() < 0.3:
                self._statement(inner, indent + "    ")
        if self._random.random() < 0.7:
            name = self._name()
            self._lines.append(f"{indent}{name} = an_int(seed=dsl.OneOf({', '.join(made)}))")
            scope.tasks.append(name)
            scope.add("int", f"{name}.output")
        return None

    def _exit_handler(self, scope: Scope, indent: str) -> None:
        name = self._name()
        named = self._random.choice(["", ", name='Named handler'"])
        self._lines += [f"{indent}{name} = at_end()", f"{indent}with dsl.ExitHandler({name}{named}):"]
        self._body(Scope(scope.depth + 1, scope), indent + "    ")


def pipeline_source(seed: int, module: str) -> str:
    """The file's text for the SDK called MODULE; its pipeline is `flow`."""
    return Writer(seed).text().replace("{module}", module)
