"""Binding a request: path over body over query."""

from __future__ import annotations

import pytest

from headrace_apiserver.gateway.routes import Found, route_table
from headrace_apiserver.gateway.transcoding import bind
from headrace_protos.kfp.v2beta1 import experiment_pb2, pipeline_pb2, recurring_run_pb2, report_pb2, run_pb2

TABLE = route_table(
    service
    for file in (experiment_pb2, pipeline_pb2, recurring_run_pb2, report_pb2, run_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
)


def bound(method, path, query=(), body=b""):
    found = TABLE.find(method, "/apis/v2beta1" + path)
    assert isinstance(found, Found)
    return bind(found, query, body)


def test_the_query_the_client_sends():
    query = [("page_token", ""), ("page_size", "10"), ("sort_by", ""), ("namespace", ""), ("unknown", "x")]
    assert bound("GET", "/runs", query) == run_pb2.ListRunsRequest(page_size=10)


def test_query_names_in_both_forms():
    assert bound("GET", "/runs", [("pageSize", "3"), ("experiment_id", "e")]) == run_pb2.ListRunsRequest(
        page_size=3, experiment_id="e"
    )


def test_booleans_and_enums_in_the_query():
    assert bound("DELETE", "/pipelines/p", [("cascade", "true")]).cascade
    policy = bound("DELETE", "/recurringruns/r", [("propagation_policy", "ORPHAN")]).propagation_policy
    assert policy == recurring_run_pb2.ORPHAN
    assert bound("DELETE", "/recurringruns/r", [("propagationPolicy", "2")]).propagation_policy == 2


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ([("page_size", "ten")], 'parsing field "page_size": "ten" is not a whole number'),
        ([("page_size", "99999999999")], 'parsing field "page_size"'),
        ([("page_size", "1"), ("pageSize", "2")], "given more than once"),
    ],
)
def test_a_wrong_query_value_names_its_field(query, text):
    with pytest.raises(ValueError, match=text):
        bound("GET", "/runs", query)


def test_a_wrong_boolean_names_itself():
    with pytest.raises(ValueError, match='"maybe" is neither true nor false'):
        bound("DELETE", "/pipelines/p", [("cascade", "maybe")])


def test_the_body_is_one_field_and_other_fields_come_by_query():
    request = bound("POST", "/runs", [("experiment_id", "old"), ("run.display_name", "no")], b'{"display_name": "r"}')
    assert request.experiment_id == "old"
    assert request.run.display_name == "r"


def test_the_path_wins_over_the_body():
    request = bound("PATCH", "/pipelines/p1", (), b'{"pipeline_id": "other", "display_name": "n"}')
    assert (request.pipeline.pipeline_id, request.pipeline.display_name) == ("p1", "n")


def test_the_whole_request_as_body():
    request = bound("POST", "/pipelines/create", [("pipeline.name", "no")], b'{"pipeline": {"name": "a"}}')
    assert request == pipeline_pb2.CreatePipelineAndVersionRequest(pipeline=pipeline_pb2.Pipeline(name="a"))


def test_a_scalar_body():
    assert bound("POST", "/workflows", (), b'"text"').workflow == "text"


def test_calls_without_a_body_ignore_one_and_an_empty_body_is_no_error():
    assert bound("POST", "/runs/r:archive", (), b"") == run_pb2.ArchiveRunRequest(run_id="r")
    assert bound("POST", "/experiments", (), b"") == experiment_pb2.CreateExperimentRequest()
    assert bound("POST", "/experiments", (), b"null") == experiment_pb2.CreateExperimentRequest()


def test_an_empty_object_is_a_body():
    assert bound("POST", "/experiments", (), b"{}").HasField("experiment")
