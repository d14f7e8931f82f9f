"""`headrace runs compare` as a table: what differs of the parameters, then figures."""

from __future__ import annotations

from headrace.cli.comparing_runs import table
from headrace.provenance import Figure, RunFigures


def run(name: str, parameters: dict[str, object], *figures: Figure) -> RunFigures:
    return RunFigures(name, name, "p", "SUCCEEDED", None, parameters, figures)


def test_a_row_for_each_run_with_what_differs():
    one = run("r1", {"lr": 0.1, "data": "x"}, Figure("train", "m", "acc", 0.75), Figure("train", "m", "loss", 1.0))
    two = run("r2", {"lr": 0.2, "data": "x"}, Figure("train", "m", "acc", 0.5))
    assert table([one, two]) == [
        "run  state      lr   acc   loss",
        "r1   SUCCEEDED  0.1  0.75  1",
        "r2   SUCCEEDED  0.2  0.5",
    ]


def test_figures_of_one_name_in_several_tasks_are_told_apart():
    one = run("r1", {}, Figure("train", "m", "acc", 0.75), Figure("test", "m", "acc", 0.5))
    assert table([one])[0] == "run  state      train.acc  test.acc"


def test_no_runs():
    assert table([]) == [""]
