"""The public API on a real persistence: what an unmodified client does, over REST and gRPC, without a scheduler."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import grpc
import pytest

from builders.specs import container, dag_input, pipeline
from headrace_apiserver.server import ApiserverSettings, running
from headrace_protos.kfp.v2beta1 import run_pb2, run_pb2_grpc
from headrace_protos.v1 import events_pb2, pipelines_pb2, pipelines_pb2_grpc, run_query_pb2, runs_pb2, runs_pb2_grpc
from headrace_servicekit.errors import ServiceError

API = "/apis/v2beta1"
NEVER = "1970-01-01T00:00:00Z"


@dataclass
class Api:
    """REST calls of a client, and both addresses."""

    session: aiohttp.ClientSession
    http_address: str
    grpc_address: str

    async def __call__(self, method, path, status=200, **arguments):
        async with self.session.request(method, API + path, **arguments) as response:
            body = json.loads(await response.read())
            assert response.status == status, body
            return body


@pytest.fixture
async def api(persistence, tmp_path) -> AsyncIterator[Api]:
    settings = ApiserverSettings(
        home=tmp_path, http_address="127.0.0.1:0", grpc_address="127.0.0.1:0",
        persistence_address=persistence.address, scheduler_address=f"unix:{tmp_path}/none.sock",
    )  # fmt: skip
    async with running(settings) as up, aiohttp.ClientSession(f"http://{up.http_address}") as session:
        yield Api(session, up.http_address, up.grpc_address)


def document(name="demo"):
    flow = pipeline(name).input("lr", "NUMBER_DOUBLE", default=0.1)
    train = container(["python", "train.py"], inputs={"lr": "NUMBER_DOUBLE"}, outputs={"Output": "STRING"})
    flow.task("train", train, {"lr": dag_input("lr")})
    return flow.build()


def form(data, filename):
    made = aiohttp.FormData()
    made.add_field("uploadfile", io.BytesIO(data), filename=filename, content_type="application/octet-stream")
    return made


def by_name(name):
    return {"filter": json.dumps({"predicates": [{"operation": 1, "key": "display_name", "stringValue": name}]})}


async def run_of(api, name="r1", **fields):
    return await api("POST", "/runs", json={"display_name": name, "pipeline_spec": document(), **fields})


async def test_health_names_the_grpc_address(api):
    assert (await api("GET", "/healthz"))["grpc_endpoint"] == api.grpc_address


async def test_the_life_of_an_experiment(api):
    assert await api("GET", "/experiments") == {}
    body = {"display_name": "vision", "description": "d", "created_at": "0001-01-01T00:00:00.000Z", "namespace": ""}
    made = await api("POST", "/experiments", json=body)
    assert made["storage_state"] == "AVAILABLE"
    assert made["last_run_created_at"] == NEVER
    assert made["created_at"].endswith("Z")
    again = await api("POST", "/experiments", 409, json={"display_name": "vision"})
    assert again["code"] == 6
    assert "Already exist error: The name vision already exists" in again["message"]
    identity = made["experiment_id"]
    assert await api("GET", f"/experiments/{identity}") == made
    assert (await api("GET", "/experiments", params=by_name("vision")))["experiments"] == [made]
    assert await api("GET", "/experiments", params=by_name("other")) == {}
    assert await api("POST", f"/experiments/{identity}:archive") == {}
    assert (await api("GET", f"/experiments/{identity}"))["storage_state"] == "ARCHIVED"
    assert await api("POST", f"/experiments/{identity}:unarchive") == {}
    assert await api("DELETE", f"/experiments/{identity}") == {}
    assert (await api("DELETE", f"/experiments/{identity}", 404))["code"] == 5


async def test_the_default_experiment_is_made_on_first_need_and_stays(api):
    run = await run_of(api)
    found = await api("GET", "/experiments", params=by_name("Default"))
    (default,) = found["experiments"]
    assert run["experiment_id"] == default["experiment_id"]
    assert default["last_run_created_at"] != NEVER
    assert (await api("DELETE", f"/experiments/{default['experiment_id']}", 409))["code"] == 10
    assert (await run_of(api, "r2"))["experiment_id"] == default["experiment_id"]


async def test_the_life_of_a_pipeline(api):
    text = json.dumps(document()).encode()
    made = await api("POST", "/pipelines/upload?name=demo&description=first", data=form(text, "demo.json"))
    assert (made["name"], made["display_name"], made["description"]) == ("demo", "demo", "first")
    identity = made["pipeline_id"]
    again = await api("POST", "/pipelines/upload?name=demo", 409, data=form(text, "demo.yaml"))
    assert "The name demo already exists" in again["error_message"]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as packed:
        entry = tarfile.TarInfo("pipeline.yaml")
        entry.size = len(text)
        packed.addfile(entry, io.BytesIO(text))
    query = f"name=second&pipelineid={identity}&tags=" + '{"team":"x"}'
    version = await api("POST", f"/pipelines/upload_version?{query}", data=form(archive.getvalue(), "x.tar.gz"))
    assert version["pipeline_spec"]["pipelineInfo"]["name"] == "demo"
    assert version["tags"] == {"team": "x"}
    listed = await api(
        "GET", f"/pipelines/{identity}/versions", params={"sort_by": "created_at desc", "page_size": "1"}
    )
    assert (listed["total_size"], listed["pipeline_versions"][0]["name"]) == (2, "second")
    rest = await api("GET", f"/pipelines/{identity}/versions", params={"page_token": listed["next_page_token"]})
    assert [one["name"] for one in rest["pipeline_versions"]] == ["demo"]
    assert "next_page_token" not in rest
    path = f"/pipelines/{identity}/versions/{version['pipeline_version_id']}"
    assert (await api("GET", path))["pipeline_spec"] == version["pipeline_spec"]
    assert (await api("GET", "/pipelines/names/demo"))["pipeline_id"] == identity
    assert (await api("PATCH", f"/pipelines/{identity}", json={"display_name": "new"}))["display_name"] == "new"
    assert "tags" not in await api("PATCH", path, json={"tags": {}})
    assert (await api("DELETE", f"/pipelines/{identity}", 400))["code"] == 9
    assert await api("DELETE", path) == {}
    assert await api("DELETE", f"/pipelines/{identity}?cascade=true") == {}
    await api("GET", f"/pipelines/{identity}", 404)


async def test_a_new_run_answers_what_clients_parse(api):
    run = await run_of(api, runtime_config={"parameters": {"lr": 0.5}})
    assert run["state"] == "PENDING"
    assert run["storage_state"] == "AVAILABLE"
    assert run["service_account"] == "pipeline-runner"
    assert run["finished_at"] == NEVER
    assert run["created_at"] == run["scheduled_at"]
    assert run["runtime_config"] == {"parameters": {"lr": 0.5}}
    assert run["pipeline_spec"]["root"]
    assert [one["state"] for one in run["state_history"]] == ["PENDING"]
    got = await api("GET", f"/runs/{run['run_id']}")
    got.pop("run_details", None)
    assert got == run
    listed = await api("GET", "/runs", params={"page_token": "", "page_size": "10", "sort_by": "", "namespace": ""})
    assert [one["run_id"] for one in listed["runs"]] == [run["run_id"]]


async def test_a_run_of_a_pipeline_takes_the_newest_version(api):
    made = await api("POST", "/pipelines/upload?name=p", data=form(json.dumps(document()).encode(), "p.json"))
    reference = {"pipeline_id": made["pipeline_id"]}
    run = await api("POST", "/runs", json={"display_name": "r", "pipeline_version_reference": reference})
    assert run["pipeline_version_reference"]["pipeline_version_id"]
    assert "pipeline_spec" not in run
    assert "runtime_config" not in run
    other = {"pipeline_id": made["pipeline_id"], "pipeline_version_id": made["pipeline_id"]}
    await api("POST", "/runs", 404, json={"display_name": "r", "pipeline_version_reference": other})


async def test_nothing_is_created_by_a_run_that_is_refused(api):
    body = {"display_name": "r", "pipeline_spec": document(), "runtime_config": {"parameters": {"lr": "x", "zz": 1}}}
    refused = await api("POST", "/runs", 400, json=body)
    assert "'lr'" in refused["message"]
    assert "'zz'" in refused["message"]
    broken = document()
    broken["root"]["dag"]["tasks"]["train"]["componentRef"]["name"] = "comp-none"
    assert (
        "comp-none" in (await api("POST", "/runs", 400, json={"display_name": "r", "pipeline_spec": broken}))["message"]
    )
    unknown = "00000000-0000-4000-8000-000000000000"
    await api("POST", "/runs", 404, json={"display_name": "r", "pipeline_spec": document(), "experiment_id": unknown})
    assert await api("GET", "/runs") == {}
    await api("GET", f"/runs?experiment_id={unknown}", 404)


async def test_a_run_is_terminated_once(api):
    run = await run_of(api)
    path = f"/runs/{run['run_id']}"
    assert await api("POST", f"{path}:terminate") == {}
    assert (await api("GET", path))["state"] == "CANCELING"
    assert "Failed to terminate a run" in (await api("POST", f"{path}:terminate", 400))["message"]
    assert "Failed to retry a run" in (await api("POST", f"{path}:retry", 400))["message"]


async def test_archiving_hides_nothing_but_the_state(api):
    run = await run_of(api)
    path = f"/runs/{run['run_id']}"
    assert await api("POST", f"{path}:archive") == {}
    assert (await api("GET", path))["storage_state"] == "ARCHIVED"
    assert await api("POST", f"{path}:unarchive") == {}
    await api("POST", f"/experiments/{run['experiment_id']}:archive")
    assert (await api("GET", path))["storage_state"] == "ARCHIVED"
    assert (await api("POST", f"{path}:unarchive", 400))["code"] == 9


async def test_pages_go_through_all_runs_once(api):
    made = [(await run_of(api, f"r{number}"))["run_id"] for number in range(5)]
    seen, token = [], ""
    while True:
        query = {"page_size": "2", "page_token": token, "sort_by": "created_at desc"}
        page = await api("GET", "/runs", params=query)
        assert page["total_size"] == 5
        seen += [one["run_id"] for one in page["runs"]]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert seen == made[::-1]


async def test_grpc_serves_the_same_objects(api):
    run = await run_of(api)
    async with grpc.aio.insecure_channel(api.grpc_address) as channel:
        found = await run_pb2_grpc.RunServiceStub(channel).GetRun(run_pb2.GetRunRequest(run_id=run["run_id"]))
        assert found.display_name == "r1"
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await run_pb2_grpc.RunServiceStub(channel).GetRun(run_pb2.GetRunRequest(run_id="nope"))
        assert missing.value.code() is grpc.StatusCode.NOT_FOUND
        ours = runs_pb2_grpc.RunsStub(channel)
        request = runs_pb2.SubmitRequest(
            request_id="once",
            package=json.dumps(document()).encode(),
            filename="demo.json",
            text_parameters={"lr": "1e-3"},
        )
        first = await ours.Submit(request)
        assert (await ours.Submit(request)).run_id == first.run_id
        assert json.loads(first.parameters_json) == {"lr": 0.001}
        assert first.display_name.startswith("demo ")
        listed = await ours.List(run_query_pb2.ListRunsRequest())
        assert [one.run_id for one in listed.runs] == [first.run_id, run["run_id"]]
        watched = [events async for events in ours.Watch(run_query_pb2.WatchRequest(run_id=first.run_id))]
        assert watched[0].events[0].WhichOneof("kind") == "run_created"
        ended = await ours.Terminate(runs_pb2.TerminateRunRequest(run_id=first.run_id))
        assert ended.state == events_pb2.RUN_CANCELING
        with pytest.raises(grpc.aio.AioRpcError) as wrong:
            await ours.Submit(runs_pb2.SubmitRequest(package=b"print(1)", filename="x.py"))
        assert "compile it first" in wrong.value.details()


async def test_a_package_is_uploaded_whole_over_grpc(api):
    flow = document()
    flow["root"]["inputDefinitions"]["parameters"]["lr"] = {
        "parameterType": "NUMBER_INTEGER",
        "defaultValue": 2**62 + 1,
        "isOptional": True,
    }
    flow["components"]["comp-train"]["inputDefinitions"]["parameters"]["lr"] = {"parameterType": "NUMBER_INTEGER"}
    async with grpc.aio.insecure_channel(api.grpc_address) as channel:
        ours = pipelines_pb2_grpc.PipelinesStub(channel)
        first = await ours.Upload(pipelines_pb2.UploadRequest(spec_json=json.dumps(flow), name="big", tags={"a": "b"}))
        package = json.dumps(document()).encode()
        again = pipelines_pb2.UploadRequest(pipeline_id=first.pipeline_id, package=package, filename="v2.json")
        second = await ours.Upload(again)
        assert second.pipeline_id == first.pipeline_id
        asked = pipelines_pb2.VersionSpecRequest(
            pipeline_id=first.pipeline_id, pipeline_version_id=first.pipeline_version_id
        )
        assert json.loads((await ours.Spec(asked)).spec_json) == flow
        shown = await api("GET", f"/pipelines/{first.pipeline_id}/versions/{second.pipeline_version_id}")
        assert (shown["name"], shown["pipeline_spec"]["pipelineInfo"]) == ("v2.json", {"name": "demo"})
        assert (await api("GET", f"/pipelines/{first.pipeline_id}"))["tags"] == {"a": "b"}
        for wrong, code, says in (
            (pipelines_pb2.UploadRequest(name="x"), "INVALID_ARGUMENT", "give one of package and spec_json"),
            (again, "ALREADY_EXISTS", "The name v2.json already exists; choose another"),
            (pipelines_pb2.UploadRequest(spec_json="{}"), "INVALID_ARGUMENT", "neither a pipeline spec"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await ours.Upload(wrong)
            assert refused.value.code().name == code
            assert says in refused.value.details()


async def test_a_port_in_use_says_what_to_do(api, persistence, tmp_path):
    address = api.http_address
    settings = ApiserverSettings(
        home=tmp_path, http_address=address, grpc_address="127.0.0.1:0", persistence_address=persistence.address
    )
    with pytest.raises(ServiceError, match=f"cannot listen on {address}: the port is in use: stop the process"):
        async with running(settings):
            raise AssertionError("it must not start")
