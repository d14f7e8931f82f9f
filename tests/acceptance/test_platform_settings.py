"""What tasks of a run share and find around them, on the whole platform: its workspace, claims that tasks make, secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.specs import Component, Pipeline, container, output, pipeline
from fixtures.counting import until
from fixtures.platforms import Platform
from fixtures.records import Records
from headrace.models import Run

OUTPUT = "{{$.outputs.parameters['Output'].output_file}}"
IN_WORKSPACE = "{{$.workspace_path}}/shared"


@pytest.fixture
def client(platform: Platform) -> Iterator[Records]:
    with Records(platform.url) as one:
        yield one


def shell(script: str, *arguments: str, kubernetes: dict[str, object] | None = None, **inputs: str) -> Component:
    command = ["sh", "-ec", script, OUTPUT, *arguments]
    return container(command, inputs=inputs, outputs={"Output": "STRING"}, kubernetes=kubernetes)


def run(client: Records, flow: Pipeline) -> Run:
    documents = [one for one in (flow.build(), flow.platform()) if one is not None]
    made = client.submit("\n---\n".join(json.dumps(one) for one in documents).encode())
    client.wait(made.run_id, timeout=60)
    return client.runs.get(made.run_id)


def workspace_flow(last: str) -> Pipeline:
    write = shell('echo "text" > "$1"; printf done > "$0"', "{{$.inputs.parameters['place']}}", place="STRING")
    flow = pipeline("sharing", config={"workspace": {"size": "1Gi", "kubernetes": {}}})
    flow.task("write", write, {"place": IN_WORKSPACE})
    return flow.task("read", shell(last, IN_WORKSPACE), after=["write"]).returns("Output", "read")


def test_a_workspace_is_shared_and_goes_with_a_run_that_succeeds(platform: Platform, client: Records):
    ended = run(client, workspace_flow('cat "$1" > "$0"'))
    assert (ended.state, ended.outputs) == ("SUCCEEDED", {"Output": "text\n"})
    folder = platform.home / "workspaces" / ended.run_id
    until("the workspace is gone", lambda: not folder.exists(), platform)


def test_a_workspace_stays_after_a_failure_until_the_run_is_deleted(platform: Platform, client: Records):
    ended = run(client, workspace_flow("exit 1"))
    assert ended.state == "FAILED"
    folder = platform.home / "workspaces" / ended.run_id
    assert (folder / "shared").read_text() == "text\n"
    client.runs.delete(ended.run_id)
    until("the workspace is gone", lambda: not folder.exists(), platform)


def test_claims_are_made_and_deleted_by_tasks(platform: Platform, client: Records):
    name = "acceptance-claim"
    create = container([], image="argostub/createpvc", inputs={"pvc_name": "STRING"}, outputs={"name": "STRING"})
    delete = container([], image="argostub/deletepvc", inputs={"pvc_name": "STRING"})
    for one in (create, delete):
        assert one.executor is not None
        del one.executor["container"]["command"]
    create.input("access_modes", "LIST").input("size")
    flow = pipeline("claiming")
    flow.task("create", create, {"pvc_name": name, "access_modes": ["ReadWriteOnce"], "size": "1Mi"})
    look = shell('test -d "$1"; printf "%s" "$2" > "$0"', str(platform.home / "volumes" / name),
                 "{{$.inputs.parameters['name']}}", name="STRING")  # fmt: skip
    flow.task("look", look, {"name": output("create", "name")}).returns("Output", "look")
    flow.task("delete", delete, {"pvc_name": output("create", "name")}, after=["look"])
    ended = run(client, flow)
    assert (ended.state, ended.outputs) == ("SUCCEEDED", {"Output": name})
    assert not (platform.home / "volumes" / name).exists()


def test_a_secret_that_is_missing_is_said_and_one_that_is_there_is_given(platform: Platform, client: Records):
    pair = {"secretKey": "user", "envVar": "WHO"}
    kubernetes = {"secretAsEnv": [{"secretName": "acceptance", "keyToEnv": [pair]}]}
    flow = pipeline("asking").task("use", shell('printf %s "$WHO" > "$0"', kubernetes=kubernetes))
    flow.returns("Output", "use")
    file: Path = platform.home / "secrets" / "acceptance" / "user"
    ended = run(client, flow)
    assert ended.state == "FAILED"
    (task,) = client.tasks(ended.run_id)
    assert task.error is not None
    assert f"put it into the file {file} (chmod 600)" in task.error.message
    file.parent.mkdir(parents=True)
    file.write_text("me")
    file.chmod(0o600)
    assert run(client, flow).outputs == {"Output": "me"}
    file.unlink()
    file.parent.rmdir()
