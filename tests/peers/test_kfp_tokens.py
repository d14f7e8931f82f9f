"""Clients of a platform that asks everyone for a token: the official `kfp.Client` (a token, or a file), ours, the CLI."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from fixtures.fix_kfp_peer import peer_environment
from fixtures.issuing import KFP
from fixtures.platforms import HEADRACE, Platform, faults_in_logs, log_tails, running
from headrace import dsl
from headrace.client import Client
from headrace.errors import HeadraceError
from headrace_protos.ml_metadata import metadata_store_service_pb2 as mss
from headrace_protos.ml_metadata.metadata_store_service_pb2_grpc import MetadataStoreServiceStub

DRIVER = Path(__file__).with_name("kfp_token_driver.py")


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    home = tmp_path_factory.mktemp("asking") / "home"
    with running("network", home, HEADRACE_API_AUTH="token-always") as platform:
        yield platform
    assert faults_in_logs(home) == []


@dsl.component
def double(number: int) -> int:
    return number * 2


def test_the_official_client(asking: Platform, kfp_python: Path, tmp_path: Path) -> None:
    assert asking.issuer is not None
    file = asking.issuer.token_file(tmp_path / "token", "headrace:notebook", KFP)
    done = subprocess.run(
        [str(kfp_python), str(DRIVER), asking.url, str(file)],
        cwd=tmp_path,
        env=peer_environment(HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-6000:]}\n{log_tails(asking.home)}"


def test_our_client(asking: Platform, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(asking.token)
    for token in (asking.token, file):
        with Client(asking.url, token=token) as client:
            run = client.submit(double, number=4)
            run.wait()
            assert run.outputs["Output"] == 8
            assert client.runs.list(limit=1)
    with (
        Client(asking.url, token="") as client,
        pytest.raises(HeadraceError, match="this call needs a token: send it as"),
    ):
        client.runs.list(limit=1)


def test_the_command_line(asking: Platform, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(asking.token)

    def listed(**settings: str) -> subprocess.CompletedProcess[str]:
        environment = peer_environment(HOME=str(tmp_path), HEADRACE_ENDPOINT=asking.url, **settings)
        command = [str(HEADRACE), "runs", "list"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert listed(HEADRACE_TOKEN_FILE=str(tmp_path / "token")).returncode == 0
    assert listed(HEADRACE_TOKEN=asking.token).returncode == 0
    without = listed()
    assert without.returncode != 0
    assert "this call needs a token" in without.stderr


def test_ml_metadata_needs_a_token_too(asking: Platform) -> None:
    """Four services over TCP: the apiserver asks who calls, persistence lets the apiserver in."""
    with grpc.insecure_channel(asking.grpc_address) as wire:
        stub = MetadataStoreServiceStub(wire)
        bearer = (("authorization", f"Bearer {asking.token}"),)
        types = stub.GetArtifactTypes(mss.GetArtifactTypesRequest(), metadata=bearer, timeout=20).artifact_types
        assert "system.Model" in {one.name for one in types}
        with pytest.raises(grpc.RpcError) as refused:
            stub.GetArtifactTypes(mss.GetArtifactTypesRequest(), timeout=20)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
