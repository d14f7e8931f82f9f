"""The conformance run's own judgement: what it calls a difference, and what it lets pass.

Aspects: states, outputs by value and by type, artifacts by content, tasks that the oracle did not run, contradictions between a
run's own values and its branches, iterations and outputs.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corpus.branching import contradictions
from corpus.comparing import differences, shape
from corpus.expecting import Expected, cut, read_expected
from corpus.viewing import Produced, RunView, TaskView, from_headrace, from_oracle

ROW = Expected("a.yaml", "A", "SUCCEEDED", 3, {}, (), (), {}, (), True, "")
MODEL = Produced("system.Model", {"accuracy": 0.5}, {"text": "weights"})
VIEW = RunView("SUCCEEDED", {"Output": 3}, {"add": TaskView("SUCCEEDED", "RUNTIME", {"Output": 3, "model": [MODEL]})})

FLIP: dict[str, Any] = {
    "root": {
        "dag": {
            "tasks": {
                "flip": {"componentRef": {"name": "comp-flip"}},
                "heads": {
                    "componentRef": {"name": "comp-branch"},
                    "inputs": {
                        "parameters": {
                            "coin": {"taskOutputParameter": {"producerTask": "flip", "outputParameterKey": "Output"}}
                        }
                    },
                    "triggerPolicy": {"condition": "inputs.parameter_values['coin'] == 'heads' && !(false)"},
                },
                "loop": {
                    "componentRef": {"name": "comp-loop"},
                    "parameterIterator": {"items": {"raw": "[1, 2]"}, "itemInput": "item"},
                },
            },
            "outputs": {
                "parameters": {
                    "Output": {"valueFromParameter": {"producerSubtask": "flip", "outputParameterKey": "Output"}}
                }
            },
        }
    },
    "components": {
        "comp-flip": {"executorLabel": "exec-flip"},
        "comp-branch": {"dag": {"tasks": {}}},
        "comp-loop": {"dag": {"tasks": {}}},
    },
}


def flipped(coin: str, heads: str, iterations: int = 2, output: str = "") -> RunView:
    tasks = {"flip": TaskView("SUCCEEDED", "RUNTIME", {"Output": coin}), "heads": TaskView(heads, "DAG")}
    tasks["loop"] = TaskView("SUCCEEDED", "LOOP")
    tasks |= {f"loop[{place}]": TaskView("SUCCEEDED", "LOOP_ITERATION") for place in range(iterations)}
    return RunView("SUCCEEDED", {"Output": output or coin}, tasks)


def with_task(view: RunView, **outputs: Any) -> RunView:
    return replace(view, tasks={"add": TaskView("SUCCEEDED", "RUNTIME", outputs)})


def test_equal_runs_do_not_differ() -> None:
    assert differences(ROW, VIEW, VIEW) == []


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        (replace(VIEW, state="FAILED", error="boom"), "the run ended FAILED, expected SUCCEEDED: boom"),
        (replace(VIEW, outputs={"Output": 4}), "the run: Output is 4, the oracle's is 3"),
        (replace(VIEW, outputs={"Output": True}), "the run: Output is true, the oracle's is 3"),
        (replace(VIEW, outputs={}), "the run: Output is missing"),
        (replace(VIEW, tasks={}), "add is absent, the oracle ran it"),
        (with_task(VIEW, Output=3), "add: model is missing"),
        (with_task(VIEW, Output=3, model=[replace(MODEL, content={"text": "x"})]), "add: model is"),
        (with_task(VIEW, Output=3, model=[MODEL], surplus=1), "add: surplus is one output too many"),
    ],
)
def test_each_difference_is_a_sentence(ours: RunView, said: str) -> None:
    assert any(one.startswith(said) for one in differences(ROW, ours, VIEW))


def test_a_leaf_that_the_oracle_did_not_run_must_be_skipped() -> None:
    ran = replace(VIEW, tasks={**VIEW.tasks, "extra": TaskView("SUCCEEDED", "RUNTIME")})
    assert differences(ROW, ran, VIEW) == ["extra is SUCCEEDED, the oracle did not run it"]
    skipped = replace(VIEW, tasks={**VIEW.tasks, "extra": TaskView("SKIPPED", "RUNTIME")})
    assert differences(ROW, skipped, VIEW) == []


def test_drawn_values_are_compared_by_type() -> None:
    row = replace(ROW, draws=("add",))
    assert differences(row, with_task(replace(VIEW, outputs={"Output": 9}), Output=9, model=[MODEL]), VIEW) == []
    assert differences(row, with_task(VIEW, Output="9", model=[MODEL]), VIEW)


def test_varying_outputs_are_compared_by_type() -> None:
    row = replace(ROW, varies=("add/Output",))
    assert differences(row, with_task(VIEW, Output=9, model=[MODEL]), VIEW) == []
    assert differences(row, with_task(VIEW, Output="9", model=[MODEL]), VIEW)


def test_demanded_states() -> None:
    row = replace(ROW, tasks={"add": "FAILED", "gone": "SUCCEEDED"})
    said = differences(row, VIEW, VIEW)
    assert said == ["add is SUCCEEDED, expected FAILED", "gone is absent, expected SUCCEEDED"]


def test_shapes_tell_json_types_apart() -> None:
    assert len({str(shape(one)) for one in (True, 1, "1", None, [1], {"a": 1})}) == 6
    assert shape(1) == shape(1.5)


def test_a_run_that_follows_its_own_values() -> None:
    assert contradictions(FLIP, {}, flipped("heads", "SUCCEEDED")) == []
    assert contradictions(FLIP, {}, flipped("tails", "SKIPPED")) == []


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (flipped("heads", "SKIPPED"), "heads is SKIPPED, its condition is true"),
        (flipped("tails", "SUCCEEDED"), "heads is SUCCEEDED, its condition is false"),
        (flipped("tails", "SKIPPED", iterations=1), "loop has 1 iterations, its list has 2 items"),
        (flipped("tails", "SKIPPED", output="heads"), "the run: Output is 'heads', its tasks say 'tails'"),
    ],
)
def test_a_run_that_contradicts_itself(run: RunView, said: str) -> None:
    found = contradictions(FLIP, {}, run)
    assert len(found) == 1
    assert found[0].startswith(said)


def test_both_sides_are_read_to_the_same_form(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("weights")
    theirs = from_oracle(
        {
            "state": "SUCCEEDED",
            "error": "",
            "outputs": {},
            "tasks": {
                "add": {
                    "state": "SUCCEEDED",
                    "outputs": {
                        "Output": 3,
                        "model": {
                            "type": "system.Model",
                            "metadata": {"accuracy": 0.5},
                            "content": {"text": "weights"},
                        },
                    },
                }
            },
        }
    )
    artifact = {
        "schema_title": "system.Model",
        "uri": (tmp_path / "model").as_uri(),
        "metadata_json": '{"accuracy": 0.5, "display_name": "model"}',
    }
    outputs = {"parameters": {"Output": {"json": "3"}}, "artifacts": {"model": {"artifacts": [artifact]}}}
    task = {"path": "add", "state": "TASK_SUCCEEDED", "kind": "RUNTIME", "outputs": outputs}
    ours = from_headrace({"state": "RUN_SUCCEEDED"}, [task])
    assert ours.tasks["add"].outputs == theirs.tasks["add"].outputs == {"Output": 3, "model": [MODEL]}


def test_the_table_is_whole() -> None:
    rows = read_expected()
    assert len(rows) == 149
    due = [row for row in rows if row.issue == 3]
    assert [row.end for row in due].count("SUCCEEDED") == 51
    assert [row.end for row in due].count("FAILED") == 7
    assert all(row.note for row in due if row.end == "FAILED")


def test_a_cut_that_finds_nothing_is_an_error() -> None:
    row = replace(ROW, cuts=(("sleep(900)", "sleep(1)"),))
    assert cut("a sleep(900) b", row) == "a sleep(1) b"
    with pytest.raises(ValueError, match="is not in the file"):
        cut("nothing", row)


def test_a_value_of_expected_yaml_stands_for_one_that_the_oracle_has_wrong():
    wrong = replace(VIEW, tasks={"add": replace(VIEW.tasks["add"], outputs={"Output": 4, "model": [MODEL]})})
    row = replace(ROW, right={"add/Output": 3})
    assert differences(row, VIEW, wrong) == []
    assert differences(row, wrong, wrong) == ["add: Output is 4, the oracle's is 3"]


def test_without_an_oracle_the_outputs_that_the_row_names_are_demanded():
    row = replace(ROW, oracle=False, right={"Output": 3, "add/model": ["weights"]})
    assert differences(row, VIEW, None) == []
    wrong = replace(row, right={"Output": 4, "add/model": ["bias"], "gone/Output": 1})
    assert differences(wrong, VIEW, None) == [
        "the run: Output is 3, expected 4",
        'add: model is ["weights"], expected ["bias"]',
        "gone: Output is null, expected 1",
    ]


def test_files_and_addresses_of_a_row_lie_in_the_folder_of_its_run(tmp_path: Path):
    row = replace(
        ROW,
        cuts=(("gs://bucket/", "file://{scratch}/"),),
        files={"a.txt": "text"},
        artifacts={"data": "file://{scratch}/a.txt"},
    )
    row.lay_out(tmp_path)
    assert cut("uri: gs://bucket/a.txt", row, tmp_path) == f"uri: file://{tmp_path}/a.txt"
    assert (tmp_path / "a.txt").read_text() == "text"
    assert row.root_artifacts(tmp_path) == {"data": f"file://{tmp_path}/a.txt"}
