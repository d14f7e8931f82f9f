"""The official ml-metadata client against Headrace and against its own in-process SQLite store: the answers are equal.

Aspects: every method of the client, with errors (sessions in ml_metadata_sessions/, in the client's own environment); random
calls (MLMD_SEEDS=100 for more); the differences are those that docs/reference/ml-metadata.md lists; the tests that the client's
wheel brings pass over gRPC too.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fixtures.fix_kfp_peer import peer_environment
from fixtures.platforms import Platform, log_tails, running

DRIVER = Path(__file__).parent / "ml_metadata_sessions" / "driver.py"
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "ml-metadata.md"
# Mistakes of theirs in what they do over gRPC alone: a helper that is called without its argument, `self.self`.
THEIR_OWN = re.compile(r"test_connection_config_with_grpc_\w+")


SEEDS = range(int(os.environ.get("MLMD_SEEDS", "2")))  # sessions of random calls, each on a platform of its own


def session(python: Path, target: str, *seed: str) -> dict[str, Any]:
    """What one store answered; steps by number."""
    command = [str(python), str(DRIVER), target, *seed]
    done = subprocess.run(command, env=peer_environment(), capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def answers(whole: Platform, mlmd_python: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    return session(mlmd_python, "sqlite"), session(mlmd_python, whole.grpc_address)


def differing(answers: tuple[dict[str, Any], dict[str, Any]]) -> list[str]:
    return [
        f"{theirs['call']} {theirs['note']}\n  theirs {theirs}\n  ours   {ours}"
        for theirs, ours in zip(answers[0]["steps"], answers[1]["steps"], strict=True)
        if theirs != ours and not re.match(r"D\d+ ", theirs["note"])
    ]


def test_every_method_is_called(answers):
    assert answers[0]["left"] == answers[1]["left"] == []


def test_there_are_many_comparisons_with_errors(answers):
    assert len(answers[0]["steps"]) >= 1800
    assert sum("error" in step for step in answers[0]["steps"]) >= 300


def test_the_answers_are_equal(answers):
    assert differing(answers) == []


def test_the_differences_are_those_that_are_listed(answers):
    pairs = zip(answers[0]["steps"], answers[1]["steps"], strict=True)
    declared = [(theirs, ours) for theirs, ours in pairs if re.match(r"D\d+ ", theirs["note"])]
    assert [theirs["note"] for theirs, ours in declared if theirs == ours] == []
    listed = re.findall(r"^\| (D\d+) \|", PAGE.read_text(), flags=re.MULTILINE)
    assert [theirs["note"].partition(" ")[0] for theirs, _ in declared] == listed


def is_listed(theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Whether two answers to a random call differ as D8 and D9 say."""
    twice = len(re.findall(r"(?:state|events_a\.type) (?:=|!=|IN)", theirs["note"])) > 1
    errors = (theirs.get("error"), ours.get("error"))
    return errors == ("InternalError", "AlreadyExistsError") or (twice and errors == ("InvalidArgumentError", None))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_calls_are_answered_alike(mlmd_python: Path, tmp_path: Path, seed: int):
    theirs = session(mlmd_python, "sqlite", str(seed))["steps"]
    with running("embedded", tmp_path / "home") as platform:
        ours = session(mlmd_python, platform.grpc_address, str(seed))["steps"]
    assert len(theirs) > 500
    pairs = zip(theirs, ours, strict=True)
    assert [(one, other) for one, other in pairs if one != other and not is_listed(one, other)] == []


def test_the_clients_own_tests_pass_over_grpc(whole: Platform, mlmd_python: Path, tmp_path: Path):
    where = "import ml_metadata.metadata_store as m; print(m.__path__[0])"
    folder = subprocess.run([str(mlmd_python), "-c", where], capture_output=True, text=True, check=True).stdout.strip()
    host, _, port = whole.grpc_address.rpartition(":")
    command = [str(mlmd_python), "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", folder, "-p", "no:cacheprovider"]
    command += [f"{folder}/metadata_store_test.py", "--use_grpc_backend", "--grpc_host", host, "--grpc_port", port]
    done = subprocess.run(
        command, cwd=tmp_path, env=peer_environment(), capture_output=True, text=True, timeout=110, check=False
    )
    failed = re.findall(r"^FAILED \S+::(\w+)", done.stdout, flags=re.MULTILINE)
    assert [name for name in failed if not THEIR_OWN.fullmatch(name)] == [], done.stdout[-6000:] + log_tails(whole.home)
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None, done.stdout[-3000:]
    assert int(passed[1]) >= 100
