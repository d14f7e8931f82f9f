"""Random templates and values through a whole run of the engine: what a Launch holds is what one naive pass from left to right
over the pipeline's own text gives, whatever the values look like.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from builders.specs import container, dag_input, pipeline
from builders.worlds import RUN_ID, World
from headrace_companion.templates import join

NAMES = ("a", "b", "n", "l")  # text, text, number, list
TRICKS = ("{{$.inputs.parameters['a']}}", "{{$.inputs.parameters['b']}}", "{{$}}", "{{$.outputs.output_file}}",
          "{{$.pipeline_job_name}}", "{{", "}}", '{"Concat": ["x", "y"]}', '"', "\\", "\n", "'", "$", " ", "é")  # fmt: skip
KNOWN = {**{f"{{{{$.inputs.parameters['{name}']}}}}": name for name in NAMES}, "{{$.pipeline_job_name}}": "my run"}
LATE = {"{{$.outputs.output_file}}": '<"file">', "{{$}}": '{"in": "\\n"}'}

texts = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
    st.lists(st.sampled_from(TRICKS), max_size=4).map("".join),
)
values = st.fixed_dictionaries(
    {
        "a": texts,
        "b": texts,
        "n": st.integers(-9, 9) | st.sampled_from([0.5, 1e-3, 2.0]),
        "l": st.lists(texts, max_size=2),
    }
)
templates = st.lists(st.sampled_from([*KNOWN, *LATE, "x", " ", "{{$.unknown_thing}}", "}}", '"']), max_size=5)


def text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def naive(pieces: list[str], given_values: dict[str, Any], late: dict[str, str]) -> str:
    """Each piece of a template is a placeholder as a whole or none, so one look at each is one pass."""
    made = []
    for piece in pieces:
        name = KNOWN.get(piece)
        made.append(late.get(piece, piece) if name is None else text_of(given_values.get(name, name)))
    return "".join(made)


def resolve(reference: str) -> str:
    return {"$": LATE["{{$}}"], "outputs.output_file": LATE["{{$.outputs.output_file}}"]}[reference]


@settings(max_examples=80, deadline=None)
@given(values, st.lists(templates, min_size=1, max_size=3), templates, st.lists(templates, max_size=2))
def test_arguments_variables_and_constants(given_values, words, variable, constant):
    kinds = {"a": "STRING", "b": "STRING", "n": "NUMBER_DOUBLE", "l": "LIST"}
    flow = pipeline()
    for name, kind in kinds.items():
        flow.input(name, kind)
    step = container(
        ["".join(word) for word in words],
        inputs={**kinds, "c": "LIST"},
        env={"V": "".join(variable)},
    )
    flow.task(
        "step", step, {**{name: dag_input(name) for name in kinds}, "c": [{"k": "".join(one)} for one in constant]}
    )
    world = World(flow, given_values).run()
    launch = world.launches["step#1"]
    assert [join(parts, resolve) for parts in launch.command] == [naive(word, given_values, LATE) for word in words]
    assert join(launch.env["V"], resolve) == naive(variable, given_values, LATE)
    # A constant is recorded with inputs and names of the run in it; user code gets the rest too.
    assert json.loads(launch.parameters["c"]) == [{"k": naive(one, given_values, {})} for one in constant]
    whole = join(launch.late_parameters["c"], resolve) if "c" in launch.late_parameters else launch.parameters["c"]
    assert json.loads(whole) == [{"k": naive(one, given_values, LATE)} for one in constant]
    assert ("c" in launch.late_parameters) == any(piece in LATE for one in constant for piece in one)
    assert {name: json.loads(launch.parameters[name]) for name in kinds} == given_values


@settings(max_examples=80, deadline=None)
@given(values, templates)
def test_a_constant_reaches_the_command_as_one_pass_gives_it(given_values, constant):
    """Also where it holds a path that only the place of execution knows."""
    flow = pipeline().input("a").input("b").input("n", "NUMBER_DOUBLE").input("l", "LIST")
    step = container(["{{$.inputs.parameters['c']}}!"], inputs={"c": "STRING", "a": "STRING", "b": "STRING"})
    step.input("n", "NUMBER_DOUBLE").input("l", "LIST")
    given_inputs = {**{name: dag_input(name) for name in NAMES}, "c": "".join(constant)}
    world = World(flow.task("step", step, given_inputs), given_values).run()
    (word,) = world.launches["step#1"].command
    assert join(word, resolve) == naive(constant, given_values, LATE) + "!"
    assert world.plan.workspace(RUN_ID) == "/kfp-workspace"


structures = st.recursive(
    templates.map("".join),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"Concat": st.lists(inner.filter(lambda one: not spreads(one)), max_size=3)}),
        st.fixed_dictionaries(
            {
                "IfPresent": st.fixed_dictionaries(
                    {"InputName": st.sampled_from(["a", "absent"]), "Then": inner | st.lists(inner, max_size=2)},
                    optional={"Else": inner | st.lists(inner, max_size=2)},
                )
            }
        ),
    ),
    max_leaves=6,
)


def spreads(item: Any) -> bool:
    """Whether it may be other than one word, so that it cannot stand inside a Concat."""
    return isinstance(item, dict) and "IfPresent" in item


def words_of(item: Any, given_values: dict[str, Any]) -> list[str]:
    if isinstance(item, str):
        return [naive(pieces_of(item), given_values, LATE)]
    if "Concat" in item:
        return ["".join(word for one in item["Concat"] for word in words_of(one, given_values))]
    branch = item["IfPresent"]["Then"] if item["IfPresent"]["InputName"] == "a" else item["IfPresent"].get("Else", [])
    return [word for one in (branch if isinstance(branch, list) else [branch]) for word in words_of(one, given_values)]


def pieces_of(text: str) -> list[str]:
    """A text cut into placeholders and the rest, the slow way: at each place the first known one that begins there."""
    pieces, rest = [], text
    while rest:
        piece = next((one for one in (*KNOWN, *LATE) if rest.startswith(one)), rest[0])
        pieces.append(piece)
        rest = rest[len(piece) :]
    return pieces


@settings(max_examples=80, deadline=None)
@given(values, st.lists(structures, min_size=1, max_size=3))
def test_structures_nested_at_will(given_values, items):
    flow = pipeline()
    kinds = {"a": "STRING", "b": "STRING", "n": "NUMBER_DOUBLE", "l": "LIST"}
    for name, kind in kinds.items():
        flow.input(name, kind)
    command = ["first", *(one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in items)]
    step = container(command, inputs=kinds).input("absent", optional=True)
    world = World(flow.task("step", step, {name: dag_input(name) for name in kinds}), given_values).run()
    made = [join(parts, resolve) for parts in world.launches["step#1"].command]
    assert made == ["first", *(word for one in items for word in words_of(one, given_values))]
