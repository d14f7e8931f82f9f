"""G4: constants and run parameters as the IR wrote them before."""

from __future__ import annotations

from builders.specs import pipeline
from gaps.gap import Gap
from gaps.shells import given, shell

GAP = Gap(
    "G4",
    "constantValue and runtimeParameter in a task's inputs",
    kfp="the task fails: only 'constant' is supported",
    here="read as a constant and as an input of the DAG around the task",
)


def test_both_older_forms_give_their_values(gaps):
    names = ("number", "factor", "text", "who")
    step = shell('printf "%s|%s|%s|%s" "$1" "$2" "$3" "$4" > "$0"', *map(given, names))
    for name, kind in zip(names, ("NUMBER_INTEGER", "NUMBER_DOUBLE", "STRING", "STRING"), strict=True):
        step.input(name, kind)
    document = pipeline("g4").input("name", "STRING").task("a", step).returns("Output", "a").build()
    document["root"]["dag"]["tasks"]["a"]["inputs"] = {
        "parameters": {
            "number": {"runtimeValue": {"constantValue": {"intValue": "3"}}},
            "factor": {"runtimeValue": {"constantValue": {"doubleValue": 0.5}}},
            "text": {"runtimeValue": {"constantValue": {"stringValue": "x"}}},
            "who": {"runtimeValue": {"runtimeParameter": "name"}},
        }
    }
    view = gaps.run(document, name="me")
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": "3|0.5|x|me"})


def test_their_mistakes_are_said_where_they_stand(gaps):
    document = pipeline("g4").task("a", shell("true", x="NUMBER_INTEGER")).build()
    value = {"constantValue": {"stringValue": "3"}}
    document["root"]["dag"]["tasks"]["a"]["inputs"] = {"parameters": {"x": {"runtimeValue": value}}}
    assert gaps.refused(document) == [
        "root.dag.tasks.a.inputs.parameters.x.runtimeValue.constantValue: expected a whole number (NUMBER_INTEGER), got '3'"
    ]
