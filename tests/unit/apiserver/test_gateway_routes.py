"""The route table of the whole public API: each rpc is reached by its annotation and by nothing else."""

from __future__ import annotations

import pytest

from headrace_apiserver.gateway.routes import Found, NotFound, route_table
from headrace_protos.kfp.v2beta1 import (
    auth_pb2,
    experiment_pb2,
    filter_pb2,
    pipeline_pb2,
    recurring_run_pb2,
    report_pb2,
    run_pb2,
    visualization_pb2,
)
from headrace_protos.v1 import runs_pb2

FILES = [
    auth_pb2, experiment_pb2, filter_pb2, pipeline_pb2, recurring_run_pb2, report_pb2, run_pb2, visualization_pb2, runs_pb2,
]  # fmt: skip
SERVICES = [service for file in FILES for service in file.DESCRIPTOR.services_by_name.values()]
TABLE = route_table(SERVICES)
BASE = "/apis/v2beta1"


def test_every_rpc_has_a_route_but_the_streams_of_ours():
    routed = {(route.service, route.rpc) for route in TABLE.routes}
    declared = {(s.full_name, m.name) for s in SERVICES for m in s.methods}
    assert declared - routed == {
        ("headrace.v1.Runs", rpc) for rpc in ("Watch", "Logs", "Value", "ArtifactFiles", "ReadArtifact")
    }


@pytest.mark.parametrize(
    ("method", "path", "rpc", "fields"),
    [
        ("POST", "/experiments", "CreateExperiment", {}),
        ("POST", "/experiments/e1:archive", "ArchiveExperiment", {"experiment_id": "e1"}),
        ("DELETE", "/experiments/e1", "DeleteExperiment", {"experiment_id": "e1"}),
        ("GET", "/pipelines/names/versions", "GetPipelineByName", {"name": "versions"}),
        ("GET", "/pipelines/p1/versions", "ListPipelineVersions", {"pipeline_id": "p1"}),
        ("POST", "/pipelines/create", "CreatePipelineAndVersion", {}),
        ("PATCH", "/pipelines/p1", "UpdatePipeline", {"pipeline.pipeline_id": "p1"}),
        ("POST", "/runs/r:terminate", "TerminateRun", {"run_id": "r"}),
        ("POST", "/recurringruns/r:disable", "DisableRecurringRun", {"recurring_run_id": "r"}),
        ("POST", "/visualizations/ns", "CreateVisualizationV1", {"namespace": "ns"}),
    ],
)
def test_paths_of_the_table_lead_to_their_rpcs(method, path, rpc, fields):
    found = TABLE.find(method, BASE + path)
    assert isinstance(found, Found)
    assert (found.route.rpc, found.fields) == (rpc, fields)


def test_our_own_api_is_routed_too():
    found = TABLE.find("POST", "/apis/headrace.v1/runs:validate")
    assert isinstance(found, Found)
    assert found.route.rpc == "Validate"


def test_an_unknown_path_and_a_wrong_method_are_told_apart():
    assert TABLE.find("GET", BASE + "/nothing") == NotFound(other_method=False)
    assert TABLE.find("PUT", BASE + "/runs") == NotFound(other_method=True)


def test_what_path_and_body_give_the_query_cannot():
    found = TABLE.find("POST", BASE + "/pipelines/p1/versions")
    assert isinstance(found, Found)
    assert found.route.bound == {"pipeline_id", "pipeline_version"}
