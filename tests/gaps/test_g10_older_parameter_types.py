"""G10: parameters that are declared with the older `type`."""

from __future__ import annotations

from builders.specs import dag_input, pipeline
from gaps.gap import Gap
from gaps.shells import given, shell

GAP = Gap(
    "G10",
    "Older parameter types (INT, DOUBLE, STRING)",
    kfp="a run is refused: the type is unspecified",
    here="read as the types that replaced them, and checked like those",
)


def flow():
    step = shell('printf "%s %s %s" "$1" "$2" "$3" > "$0"', *map(given, "abc"))
    for name in "abc":
        step.input(name)
    made = pipeline("g10").input("n").input("x").input("s")
    made.task("a", step, {"a": dag_input("n"), "b": dag_input("x"), "c": dag_input("s")}).returns("Output", "a")
    document = made.build()
    older = {"n": {"type": "INT"}, "x": {"type": "DOUBLE", "defaultValue": 0.5}, "s": {"type": "STRING"}}
    document["root"]["inputDefinitions"]["parameters"] = older
    return document


def test_values_are_taken_by_them(gaps):
    assert gaps.run(flow(), n=3, s="x").outputs == {"Output": "3 0.5 x"}


def test_values_are_checked_by_them(gaps):
    assert gaps.refused(flow(), n="3", s="x") == ["parameter 'n' expects NUMBER_INTEGER, got STRING \"3\""]
