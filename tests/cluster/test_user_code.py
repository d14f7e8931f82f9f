"""What user code finds in its container, and what the platform tells it: no token, no key of the store, no way in.

The task's image is the companion's own, because gRPC is in it: user code may bring what it likes.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import grpc
import pytest

from builders.specs import container, pipeline
from cluster.installation import Installation
from cluster.meeting import token_of
from corpus import driving
from fixtures.issuing import ATTEMPTS, Issuer
from headrace_protos.v1 import access_pb2, attempts_pb2, attempts_pb2_grpc

OUTPUT = "{{$.outputs.parameters['Output'].output_file}}"
METHODS = {
    "persistence": ("headrace.v1.RunStore/Deliver", "headrace.v1.RunStore/Append", "headrace.v1.RunQuery/ListRuns"),
    "cache": ("headrace.v1.Cache/Lookup", "headrace.v1.Cache/Commit", "headrace.v1.Cache/Invalidate"),
    "scheduler": (
        "headrace.v1.Scheduler/Wake",
        "headrace.v1.Attempts/Assign",
        "headrace.v1.Attempts/Access",
        "headrace.v1.Attempts/Report",
        "headrace.v1.ArtifactAccess/Read",
        "headrace.v1.ArtifactAccess/List",
    ),
}
LOOK = """
import json, os, pathlib, sys
import grpc

output, asked = sys.argv[1], json.loads(sys.argv[2])
found = {"files": [], "environment": sorted(os.environ), "calls": {}}
for folder in ("/var/run/secrets", "/run/secrets", "/var/run/headrace"):
    found["files"] += [str(path) for path in pathlib.Path(folder).rglob("*") if path.is_file()]
for root, _, names in os.walk("/headrace"):
    for name in names:
        path = pathlib.Path(root, name)
        try:
            text = path.read_bytes()
        except OSError:
            continue
        if b"X-Amz-" + b"Signature" in text or (b"eyJhbGciOi" in text and name not in ("command", "staged")):
            found["files"].append(str(path))  # those two have the forgeries among this program's arguments
for address, methods in asked["methods"].items():
    with grpc.insecure_channel(address) as channel:
        for method in methods:
            for name, token in asked["tokens"].items():
                metadata = [("authorization", "Bearer " + token)] if token else []
                try:
                    channel.unary_unary("/" + method)(b"", metadata=metadata, timeout=10)
                    ended = "OK"
                except grpc.RpcError as refused:
                    ended = refused.code().name
                found["calls"][method + " " + name] = ended
pathlib.Path(output).parent.mkdir(parents=True, exist_ok=True)
pathlib.Path(output).write_text(json.dumps(found))
"""
SLEEP = "import time; print('at work', flush=True); time.sleep(120)"


def flow(task: str, component: Any) -> Any:
    """A pipeline of one task."""
    made = pipeline("one-task")
    made.task(task, component)
    return made.build()


def forged(platform: Installation) -> dict[str, str]:
    """What user code can make up by itself: it knows the names, and no key."""
    issuer = Issuer()
    scheduler = issuer.claims(f"{platform.namespace}:headrace-scheduler")
    parts = [json.dumps(one).encode() for one in ({"alg": "none", "kid": "x", "typ": "JWT"}, scheduler)]
    unsigned = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."
    return {"none": "", "nonsense": "x.y.z", "unsigned": unsigned, "signed by itself": issuer.sign(scheduler)}


def address_of(platform: Installation, service: str) -> str:
    return platform.platform.environment[f"HEADRACE_{service.upper()}_ADDRESS"]


def test_user_code_holds_nothing_and_is_let_in_nowhere(on_pods: Installation, companion: str) -> None:
    tokens = forged(on_pods)
    asked = {"methods": {address_of(on_pods, name): names for name, names in METHODS.items()}, "tokens": tokens}
    look = container(["python3", "-c", LOOK, OUTPUT, json.dumps(asked)], image=companion, outputs={"Output": "STRING"})
    run_id = on_pods.submit(flow("look", look))
    assert on_pods.ended(run_id) == "SUCCEEDED"
    told = on_pods.task(run_id, "look")["outputs"]["parameters"]["Output"]["json"]
    found: dict[str, Any] = json.loads(json.loads(told))
    assert found["files"] == []
    telling = ("AWS", "MINIO", "S3_", "SECRET", "TOKEN", "PASSWORD", "DATABASE", "HEADRACE_STORE")
    assert [name for name in found["environment"] if any(part in name.upper() for part in telling)] == []
    assert len(found["calls"]) == sum(map(len, METHODS.values())) * len(tokens)
    assert {name: ended for name, ended in found["calls"].items() if ended != "UNAUTHENTICATED"} == {}


def test_a_companion_s_token_opens_its_own_attempt_alone(on_pods: Installation, companion: str) -> None:
    """Also where user code had it: no other attempt, no other folder, no other namespace, no other service."""
    sleeping = container(["python3", "-c", SLEEP], image=companion)
    runs = [on_pods.submit(flow(name, sleeping)) for name in ("sleep", "sleep")]
    pod, other = (on_pods.pod_at_work(run_id) for run_id in runs)
    bound = (pod["metadata"]["name"], pod["metadata"]["uid"])
    token = token_of(on_pods.kube, "headrace-task", on_pods.namespace, ATTEMPTS, pod=bound)
    metadata = [("authorization", f"Bearer {token}")]
    with grpc.insecure_channel(address_of(on_pods, "scheduler")) as channel:
        attempts = attempts_pb2_grpc.AttemptsStub(channel)

        def access(run_id: str, uri: str) -> access_pb2.AccessResponse:
            wants = [access_pb2.Want(find=uri)]
            request = access_pb2.AccessRequest(run_id=run_id, path="sleep", attempt=1, wants=wants)
            return attempts.Access(request, metadata=metadata, timeout=30)

        mine = attempts.Assign(
            attempts_pb2.AssignRequest(run_id=runs[0], path="sleep", attempt=1), metadata=metadata, timeout=30
        )
        assert mine.assignment.prefix
        with pytest.raises(grpc.RpcError) as refused:
            attempts.Assign(
                attempts_pb2.AssignRequest(run_id=runs[1], path="sleep", attempt=1), metadata=metadata, timeout=30
            )
        assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
        assert f"Pod {pod['metadata']['name']} is not the one of" in refused.value.details()
        with pytest.raises(grpc.RpcError) as refused:
            access(runs[1], mine.assignment.prefix)
        assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
        root = mine.assignment.prefix.split(on_pods.namespace)[0]
        for elsewhere in (
            f"{root}another-namespace/runs/x/model",
            f"{mine.assignment.prefix}/../../../x",
            "file:///etc/passwd",
        ):
            with pytest.raises(grpc.RpcError) as refused:
                access(runs[0], elsewhere)
            assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
            said = refused.value.details()
            assert "is neither an input of this attempt nor beneath" in said or "is not the URI of an object" in said
    for run_id in runs:
        driving.command("runs", "terminate", run_id, "--endpoint", on_pods.platform.url)
    assert other["metadata"]["uid"] != pod["metadata"]["uid"]
