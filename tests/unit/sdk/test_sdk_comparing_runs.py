"""Runs side by side: what is refused before anybody is asked; `headrace runs compare` as a table, differing parameters first."""

from __future__ import annotations

import pytest

from headrace import errors
from headrace.cli.comparing_runs import table
from headrace.client import Client
from headrace.provenance import Figure, RunFigures

RUN_ID = "01900000-0000-7000-8000-000000000001"


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


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"run_ids": RUN_ID}, f"run_ids is '{RUN_ID}'; give a list of texts"),
        ({"run_ids": None}, "run_ids is None; give a list of texts"),
        ({"run_ids": [RUN_ID, 5]}, "run_ids has 5 in it; give a list of texts"),
        ({"metrics": "acc"}, "metrics is 'acc'; give a list of texts"),
    ],
)
def test_runs_and_figures_to_compare_are_lists_of_texts(asked, said):
    with Client(token="") as client, pytest.raises(errors.BadInput) as caught:
        client.artifacts.compare_runs(**asked)
    assert str(caught.value) == said
