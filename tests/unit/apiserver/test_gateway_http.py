"""The whole gateway over a socket: real routes, real guard, handler objects as the gRPC server has them.

Nothing stands behind the channels here, so that what needs persistence answers 503; the rest is in the integration tests.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from headrace_apiserver.backends import backends
from headrace_apiserver.gateway.app import Routes, application
from headrace_apiserver.gateway.calling import Bound, Transcoder
from headrace_apiserver.gateway.grpc_web import GrpcWeb
from headrace_apiserver.gateway.guard import Door
from headrace_apiserver.gateway.health import Health, health
from headrace_apiserver.gateway.logs import RunLog
from headrace_apiserver.gateway.page import content_security_policy
from headrace_apiserver.gateway.uploads import Uploads
from headrace_apiserver.server import handlers
from headrace_protos.v1 import runs_pb2
from headrace_servicekit.network import LOCAL
from headrace_servicekit.server import channel

API = "/apis/v2beta1"
UPLOAD = f"{API}/pipelines/upload"


@pytest.fixture
async def client(tmp_path) -> AsyncIterator[TestClient]:
    """A client of a gateway whose services behind cannot be reached."""
    nowhere = f"unix:{tmp_path}/none.sock"
    async with channel(nowhere) as persistence, channel(nowhere) as scheduler:
        reached = backends(persistence, scheduler)
        made = handlers(reached)
        routes = Routes(
            made.bound(),
            Uploads(made.pipelines),
            Health(reached, "127.0.0.1:1", "1.0"),
            RunLog(reached),
            GrpcWeb({}),
            made.events,
        )
        async with TestClient(TestServer(application(routes, Door(LOCAL)))) as found:
            yield found


async def answer(client, method, path, **arguments):
    async with client.request(method, path, **arguments) as response:
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        return response.status, json.loads(await response.read())


@pytest.mark.parametrize(
    ("method", "path", "arguments", "status", "says"),
    [
        ("GET", "/runs/nope", {}, 404, "Run nope not found"),
        ("GET", "/runs?page_size=-1", {}, 400, "cannot be negative"),
        ("GET", "/runs?page_size=x", {}, 400, 'parsing field "page_size"'),
        ("GET", "/runs?filter=x", {}, 400, "filter is not a Filter message"),
        ("PUT", "/runs", {}, 501, "Method Not Allowed"),
        ("GET", "/nothing", {}, 404, "Not Found"),
        ("POST", "/runs", {"json": {"bogus": 1}}, 400, 'unknown field "bogus"'),
        ("POST", "/runs", {"json": {}}, 400, "Run.DisplayName is empty"),
        ("POST", "/runs", {"json": {"display_name": "x"}}, 400, "the run has no source"),
        ("POST", "/runs", {"json": {"display_name": "x", "pipeline_spec": {}}}, 400, "neither a pipeline spec"),
        ("POST", "/runs", {"json": {"display_name": "x", "plugins_input": {"a": {}}}}, 501, "plugins_input"),
        ("POST", "/experiments", {"json": {"display_name": ""}}, 400, "Experiment.Name is empty"),
        ("POST", "/pipelines", {"json": {"name": "x" * 129}}, 400, "Pipeline.Name length cannot exceed 128"),
        (
            "POST",
            "/pipelines/create",
            {"json": {"pipeline": {"name": "x"}}},
            400,
            "neither pipeline_spec nor package_url",
        ),
        ("POST", "/experiments", {"json": {"display_name": "x"}}, 503, "cannot be reached"),
        ("GET", "/recurringruns", {}, 501, "recurring runs are not built yet"),
        ("POST", "/recurringruns/x:enable", {}, 501, "recurring runs are not built yet"),
        ("GET", "/auth", {}, 501, "no authorization yet"),
        ("POST", "/visualizations/ns", {"json": {}}, 501, "not made by the server"),
        ("POST", "/workflows", {"json": "x"}, 501, "no workflow controller"),
        ("GET", "/healthz", {}, 503, "persistence does not answer"),
    ],
)
async def test_each_mistake_has_its_answer(client, method, path, arguments, status, says):
    got, body = await answer(client, method, API + path, **arguments)
    assert got == status, body
    assert says in body["message"]


async def test_a_package_url_is_not_fetched_yet(client):
    body = {"pipeline": {"name": "x"}, "pipeline_version": {"package_url": {"pipeline_url": "https://x"}}}
    got, told = await answer(client, "POST", f"{API}/pipelines/create", json=body)
    assert (got, "upload the file" in told["message"]) == (501, True)


async def test_validating_reports_problems_as_an_answer(client):
    got, body = await answer(client, "POST", "/apis/headrace.v1/runs:validate", json={"spec_json": '{"root": {}}'})
    assert got == 200
    assert body["problems"]


async def test_nothing_or_too_much_to_validate_is_a_mistake(client):
    got, body = await answer(client, "POST", "/apis/headrace.v1/runs:validate", json={})
    assert (got, "give one of package, spec_json" in body["message"]) == (400, True)


def form(data, filename, field="uploadfile"):
    made = aiohttp.FormData()
    made.add_field(field, io.BytesIO(data), filename=filename, content_type="application/octet-stream")
    return made


def zipped(name, data, *, link=False):
    buffer = io.BytesIO()
    entry = zipfile.ZipInfo(name)
    if link:
        entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(entry, data, compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "filename", "says"),
    [
        (b"print(1)", "flow.py", "compile it first"),
        (b"apiVersion: argoproj.io/v1alpha1\nkind: Workflow", "v1.yaml", "Argo Workflow"),
        (b"hello", "x.bin", "not a pipeline package"),
        (zipped("../pipeline.yaml", b"a: 1"), "x.zip", "points outside the archive"),
        (zipped("pipeline.yaml", b"/etc/passwd", link=True), "x.zip", "is a link"),
        (zipped("pipeline.yaml", b"a" * (33 << 20)), "x.zip", "larger than 32 MiB"),
        (b"a" * ((32 << 20) + 1), "big.yaml", "larger than 32 MiB"),
    ],
    ids=["python", "argo", "unknown", "outside", "link", "bomb", "big"],
)
async def test_a_refused_upload_says_why(client, data, filename, says):
    got, body = await answer(client, "POST", f"{UPLOAD}?name=x", data=form(data, filename))
    assert got == 400
    assert says in body["error_message"]


async def test_a_chunked_upload_is_read_like_any_other(client):
    body = b'--b\r\nContent-Disposition: form-data; name="uploadfile"; filename="f.py"\r\n\r\nprint(1)\r\n--b--\r\n'

    async def chunks():
        for index in range(0, len(body), 7):
            yield body[index : index + 7]

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    got, told = await answer(client, "POST", UPLOAD, data=chunks(), headers=headers)
    assert (got, "f.py is Python source" in told["error_message"]) == (400, True)


@pytest.mark.parametrize(
    ("path", "arguments", "says"),
    [
        (UPLOAD, {"data": form(b"x", "x.yaml", field="file")}, "no field 'uploadfile'"),
        (UPLOAD, {"json": {}}, "no multipart form"),
        (UPLOAD, {"data": b"junk", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, "cannot be read"),
        (UPLOAD, {"data": b"junk", "headers": {"Content-Type": "multipart/form-data"}}, "cannot be read"),
        (f"{UPLOAD}?tags=[1]", {"data": form(b"x", "x.yaml")}, "tags is not a JSON object of strings"),
        (f"{UPLOAD}?tags=no", {"data": form(b"x", "x.yaml")}, "tags is not a JSON object"),
    ],
    ids=["field", "json", "junk", "boundary", "tags-list", "tags-text"],
)
async def test_a_broken_form_says_what_is_wrong(client, path, arguments, says):
    got, body = await answer(client, "POST", path, **arguments)
    assert got == 400, body
    assert says in body["error_message"]


async def test_a_version_of_no_pipeline_is_not_found(client):
    got, body = await answer(client, "POST", f"{API}/pipelines/upload_version", data=form(b"x", "x.yaml"))
    assert (got, "not found" in body["error_message"]) == (404, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Content-Type": "text/plain"},
    ],
)
async def test_a_web_page_cannot_start_a_run(client, headers):
    headers = {"Content-Type": "application/json", **headers}
    got, body = await answer(client, "POST", f"{API}/runs", data=b"{}", headers=headers)
    assert (got, body["code"]) == (403, 7)


async def test_the_page_runs_its_own_script_only(client):
    async with client.get("/") as response:
        html = await response.text()
        policy = response.headers["Content-Security-Policy"]
    assert policy == content_security_policy(html)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "innerHTML" not in html
    assert html.count("<script>") == html.count("<style>") == 1


def test_health_says_multi_user_although_it_is_false():
    assert health("1.0", "127.0.0.1:8887") == {
        "commit_sha": "unknown",
        "tag_name": "1.0",
        "multi_user": False,
        "pipeline_store": "database",
        "grpc_endpoint": "127.0.0.1:8887",
    }


class Broken:
    """A handler with a fault."""

    async def Get(self, request, context):  # noqa: N802
        raise RuntimeError("secret detail")


async def test_a_fault_of_ours_is_told_by_a_number_and_not_by_its_text(caplog):
    app = web.Application()
    transcoder = Transcoder([Bound(runs_pb2.DESCRIPTOR.services_by_name["Runs"], Broken())])
    app.router.add_route("*", "/{rest:.*}", transcoder.answer)
    async with TestClient(TestServer(app)) as client, client.get("/apis/headrace.v1/runs/x") as response:
        body = await response.json()
    assert response.status == 500
    assert "secret" not in body["message"]
    assert "incident" in body["message"]
    assert "secret detail" in caplog.text
