"""The JSON rules of KFP's gateway (kfp-api 1.4), each row."""

from __future__ import annotations

import json

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from headrace_apiserver.gateway.json_rules import body_keys, json_to_tree, message_to_json, tree_to_message
from headrace_protos.kfp.v2beta1 import experiment_pb2, pipeline_pb2, recurring_run_pb2, run_pb2


def out(message):
    return json.loads(message_to_json(message))


def test_names_go_out_as_in_the_proto_and_defaults_stay_out():
    run = run_pb2.Run(run_id="r", display_name="", state=run_pb2.PENDING)
    assert out(run) == {"run_id": "r", "state": "PENDING"}
    assert out(run_pb2.ListRunsResponse()) == {}


def test_the_one_camel_case_field_stays_camel_case():
    answer = recurring_run_pb2.ListRecurringRunsResponse(
        recurringRuns=[recurring_run_pb2.RecurringRun(display_name="x")]
    )
    assert out(answer) == {"recurringRuns": [{"display_name": "x"}]}


def test_int64_is_text_and_int32_a_number():
    detail = run_pb2.PipelineTaskDetail(execution_id=7, outputs={"m": run_pb2.ArtifactList(artifact_ids=[1, 2])})
    assert out(detail) == {"execution_id": "7", "outputs": {"m": {"artifact_ids": ["1", "2"]}}}
    assert out(run_pb2.ListRunsResponse(total_size=3)) == {"total_size": 3}


def test_the_epoch_is_written_not_left_out():
    run = run_pb2.Run(finished_at=Timestamp(seconds=0), created_at=Timestamp(seconds=1_700_000_000))
    assert out(run) == {"finished_at": "1970-01-01T00:00:00Z", "created_at": "2023-11-14T22:13:20Z"}


def test_both_name_forms_and_numbers_for_enums_and_text_for_int64_come_in():
    run = run_pb2.Run()
    tree_to_message({"displayName": "a", "experiment_id": "e", "state": 2}, run)
    assert (run.display_name, run.experiment_id, run.state) == ("a", "e", run_pb2.RUNNING)
    schedule = recurring_run_pb2.PeriodicSchedule()
    tree_to_message({"interval_second": "60"}, schedule)
    assert schedule.interval_second == 60
    tree_to_message({"intervalSecond": 61}, schedule)
    assert schedule.interval_second == 61


def test_the_zero_time_of_go_clients_is_taken():
    experiment = experiment_pb2.Experiment()
    tree_to_message({"display_name": "x", "created_at": "0001-01-01T00:00:00.000Z"}, experiment)
    assert experiment.created_at.seconds < 0


def test_an_unknown_field_is_refused_with_its_place():
    with pytest.raises(ValueError, match=r'proto: unknown field "bogus"$'):
        tree_to_message({"bogus": 1}, experiment_pb2.Experiment())
    with pytest.raises(ValueError, match=r'proto: unknown field "paramters" in runtime_config'):
        tree_to_message({"runtime_config": {"paramters": {}}}, run_pb2.Run())


def test_free_form_values_have_no_unknown_fields():
    run = run_pb2.Run()
    tree_to_message({"pipelineSpec": {"anything": {"goes": [1, None]}}, "plugins_input": {"p": {"x": 1}}}, run)
    assert run.pipeline_spec["anything"]["goes"][0] == 1


def test_maps_and_lists_of_messages_are_looked_into():
    with pytest.raises(ValueError, match=r'unknown field "x" in state_history\[0\]'):
        tree_to_message({"state_history": [{"x": 1}]}, run_pb2.Run())
    with pytest.raises(ValueError, match=r'unknown field "y" in plugins_output\.a'):
        tree_to_message({"plugins_output": {"a": {"y": 1}}}, run_pb2.Run())
    version = pipeline_pb2.PipelineVersion()
    tree_to_message({"tags": {"any": "key"}}, version)
    assert dict(version.tags) == {"any": "key"}


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ({"display_name": 3}, "display_name"),
        ({"display_name": "\ud800"}, "surrogate"),
        ({"runtime_config": {"parameters": {"a": 10**400}}}, "too large"),
        ({"state": "X"}, "X"),
        (
            ["not", "an", "object"],
            r'proto: \["not", "an", "object"\] is no JSON object; expected one with fields of Run$',
        ),
        ([], r"proto: \[\] is no JSON object"),
        ("x" * 1000, 'proto: "x{39} is no JSON object'),
        (3, "proto: 3 is no JSON object"),
        (False, "proto: false is no JSON object"),
        (None, "proto: null is no JSON object"),
    ],
)
def test_what_a_message_cannot_hold_is_a_sentence(tree, text):
    with pytest.raises(ValueError, match=text):
        tree_to_message(tree, run_pb2.Run())


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": 1e999}', "too large a number"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}", "digits"),
    ],
)
def test_what_is_no_json_is_a_sentence(body, text):
    with pytest.raises(ValueError, match=text):
        json_to_tree(body)


def test_an_empty_body_is_nothing():
    assert json_to_tree(b"") is None
    assert json_to_tree(b" \n") is None
    assert body_keys(b"") == frozenset()
    assert body_keys(b'{"tags": {}}') == {"tags"}
