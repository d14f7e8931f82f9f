"""The alias beside the official SDK: every public name of KFP's modules is answered, and kfp.Client's methods take the same.

The official client's own driver runs once more with the alias instead of KFP's SDK: what it expects of the platform, it gets.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.fix_kfp_peer import ROOT
from fixtures.platforms import Platform, log_tails
from headrace import kfp_alias
from headrace.kfp_alias.client import Client
from peers.kfp_surface import MODULES, methods
from peers.test_examples import run_peer
from peers.test_kfp_client import DRIVER, SCENARIOS

# Modules of the standard library and of KFP's packaging that its `kfp` shows by importing them.
NOT_OF_THE_SDK = {"os", "sys", "warnings", "pipeline_spec", "version"}
# Credentials of Kubernetes and of Google's proxy, which Headrace's client does not take: a token is given as it is.
NOT_ANSWERED = {
    "kfp.client": {
        "ServiceAccountTokenVolumeCredentials",
        "TokenCredentialsBase",
        "KF_PIPELINES_SA_TOKEN_ENV",
        "KF_PIPELINES_SA_TOKEN_PATH",
    },
}
# Those that call the generated API under the client, which the alias lacks, and one about the first answer of the server alone.
GENERATED = re.compile(r"kfp_server_api\.V2|_service_|_upload_api|\"PENDING\", run\.state")


@pytest.fixture(scope="module")
def official(kfp_python):
    return json.loads(run_peer(kfp_python, ROOT / "tests/peers/kfp_surface.py"))


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_answered(official, module):
    wanted = set(official["names"][module]) - NOT_OF_THE_SDK - NOT_ANSWERED.get(module, set())
    assert wanted
    with kfp_alias.installed():
        ours = importlib.import_module(module)
        assert sorted(name for name in wanted if not hasattr(ours, name)) == []


def test_the_clients_methods_take_the_same(official):
    assert methods(Client) == official["client"]


def scenarios() -> list[str]:
    bodies = dict(
        zip(SCENARIOS, re.split(r"^def scenario_\w+\(", DRIVER.read_text(), flags=re.MULTILINE)[1:], strict=True)
    )
    return [name for name, body in bodies.items() if not GENERATED.search(body)]


def test_most_of_the_driver_needs_no_generated_api():
    assert len(scenarios()) >= 15


@pytest.mark.parametrize("scenario", scenarios())
def test_the_clients_driver_without_kfp(platform: Platform, tmp_path: Path, scenario: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "KF_"))}
    done = subprocess.run(
        [sys.executable, "-m", "headrace.kfp_alias", str(DRIVER), platform.url, scenario],
        cwd=tmp_path,
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-6000:]}\n{log_tails(platform.home)}"
