"""A task gets no secret and no volume of the platform's own, by whatever setting it asks."""

from __future__ import annotations

import re
from typing import Any

import pytest

from builders.pods import OPTIONS, settings_of, task
from headrace_scheduler.executors.kubernetes.pods import pod
from headrace_scheduler.executors.kubernetes.problems import Refused
from headrace_scheduler.executors.kubernetes.reserved import refuse_reserved


def asks(name: str) -> dict[str, Any]:
    """Task settings in KFP's form, each of which would bring the secret NAME into user code's reach."""
    env = {"keyToEnv": [{"secretKey": "k", "envVar": "K"}], "secretName": name}
    return {
        "env": {"secretAsEnv": [env]},
        "volume": {"secretAsVolume": [{"secretName": name, "mountPath": "/keys"}]},
    }


@pytest.mark.parametrize("way", sorted(asks("")))
@pytest.mark.parametrize("name", ["headrace-store", "headrace-database"])
def test_secrets_of_the_platform_are_not_for_tasks(way: str, name: str) -> None:
    with pytest.raises(Refused, match=re.escape(f"the secret '{name}' is the platform's own, and no task gets it")):
        pod(task(settings_of(asks(name)[way])), OPTIONS)
    pod(task(settings_of(asks("my-headrace-store")[way])), OPTIONS)


def test_volumes_of_the_platform_are_not_for_tasks() -> None:
    def mount(claim: str) -> Any:
        return settings_of({"pvcMount": [{"constant": claim, "mountPath": "/data"}]})

    with pytest.raises(Refused, match="the volume claim 'data-headrace-postgres-0' is the platform's own"):
        pod(task(mount("data-headrace-postgres-0")), OPTIONS)
    pod(task(mount("data-set")), OPTIONS)


@pytest.mark.parametrize(
    "spec",
    [
        {"initContainers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "headrace-store", "key": "k"}}}]}]},
        {"initContainers": [{"envFrom": [{"secretRef": {"name": "headrace-store"}}]}]},
        {"volumes": [{"projected": {"sources": [{"secret": {"name": "headrace-store"}}]}}]},
    ],
)
def test_other_ways_to_name_a_secret_are_known(spec: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        refuse_reserved(spec)
