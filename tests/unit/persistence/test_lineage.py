"""What lineage decides without rows: how artifacts are asked for, whose tasks count, and how code and values are told."""

from __future__ import annotations

import pytest

from headrace_persistence.lineage.describing import code_digest, short, task_of
from headrace_persistence.lineage.finding import query_of
from headrace_persistence.lineage.holding import held_of
from headrace_persistence.lineage.walking import FIRST_WRITERS, coded, originals, unmade
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import lineage_pb2 as pb
from headrace_protos.v1 import plan_pb2


@pytest.mark.parametrize(
    ("given", "column", "value"),
    [
        ("n=3", "double_value + 0", 3.0),
        ("n=0.5", "double_value + 0", 0.5),
        ("n=text", "string_value || ''", "text"),
        ('n="3"', "string_value || ''", "3"),
        ("n=true", "int_value + 0", 1),
        ("n=a=b", "string_value || ''", "a=b"),
    ],
)
def test_metadata_is_asked_for_as_it_is_kept(given, column, value):
    request = pb.FindArtifactRecordsRequest(metadata=[given])
    (held,) = held_of(request)
    text, params, _ = query_of(request)
    assert f"(p.{column} = " in text
    assert (params["n0"], params["v0"]) == ("n", value)
    text, params, _ = query_of(request, by=held)
    assert f"(w.{column} = " in text
    assert f"p.{column[:9]}" in held.holders  # by its index, which is of the column itself
    assert column not in held.holders
    assert "*/" not in text


def step(artifact: int, task: int, *, kind: int = 1, copied: bool = False) -> tuple[object, ...]:
    return (artifact, task, "run", "path", "name", 0, True, "default", "p", 1, kind, copied)


def test_of_those_that_put_an_artifact_out_the_ones_that_made_it_count():
    made, cached, alone = step(1, 10), step(1, 11, copied=True), step(2, 12, copied=True)
    assert originals([made, cached, alone]) == [made, alone]
    assert coded([step(1, 10, kind=2), step(2, 11)]) == {2}


def test_more_writers_are_looked_at_where_the_first_all_took_it_from_elsewhere():
    copies = [step(1, 10 + number, copied=True) for number in range(FIRST_WRITERS)]
    assert unmade(copies) == [1]
    assert unmade(copies[1:]) == []
    assert unmade([step(1, 9), *copies]) == []


def test_of_many_importers_of_one_record_the_first_counts():
    first, later, other = step(1, 10, kind=2), step(1, 20, kind=2), step(2, 20, kind=2)
    assert originals([first, later, other]) == [first, other]


def test_code_is_command_and_arguments_alone():
    one = plan_pb2.Container(image="a", command=["run"], args=["x"])
    other = plan_pb2.Container(image="b", command=["run"], args=["x"], env=[plan_pb2.EnvVar(name="A", value="1")])
    assert code_digest(one) == code_digest(other)
    assert code_digest(one) != code_digest(plan_pb2.Container(command=["run", "x"]))


def test_a_long_value_is_told_by_its_digest():
    assert short(ev.Value(json="1")).json == "1"
    told = short(ev.Value(json='"' + "x" * 1000 + '"'))
    assert (told.json, told.size, told.digest[:7]) == ("", 1002, "sha256:")


def test_a_task_of_a_plan_that_is_not_there_is_told_without_its_code():
    created = ev.TaskCreated(dag=3, task=1).SerializeToString()
    row = (1, "run", "a", ev.RUNTIME, ev.TASK_SUCCEEDED, "ns", "p", "name", created, b"", "", "", 1, 2, "", 5, b"")
    for plan in (None, plan_pb2.Plan()):
        assert task_of(row, plan, {}).code_digest == ""


def test_no_text_of_a_callers_enters_the_query():
    nasty = "x' OR 1=1 --"
    request = pb.FindArtifactRecordsRequest(
        uri=nasty,
        type=nasty,
        digest=nasty,
        namespace=nasty,
        pipeline_name=nasty,
        run_id=nasty,
        metadata=["na'me=va'lue"],
    )
    text, params, _ = query_of(request)
    assert "OR 1" not in text
    assert "'" not in text.replace("|| ''", "")
    assert sum(value == nasty for value in params.values()) == 6
    assert {"na'me", "va'lue"} <= set(params.values())
