"""Tokens of the real API server before our verifier: what the kubelet gives a Pod names that Pod, and opens its own alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import pods
from cluster.bringup.kube import Kube, Object
from cluster.meeting import account, meeting_of, token_of
from fixtures.issuing import ATTEMPTS, INTERNAL, PUBLIC
from headrace_identity.meeting import network_of
from headrace_servicekit.callers import Caller
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.network import Network, admitted
from headrace_servicekit.policies import ATTEMPTS as COMPANIONS
from headrace_servicekit.policies import CONTROL
from headrace_servicekit.policies import PUBLIC as API
from headrace_servicekit.settings import Settings, load

ELSEWHERE = "10.244.1.7"


@pytest.fixture
def network(kube: Kube, namespace: str, tmp_path: Path) -> Network:
    """As a service of an installation in this namespace checks its callers."""
    return network_of(load(Settings, dict(meeting_of(kube, namespace, tmp_path).settings)))


def with_token(body: Object, audience: str) -> Object:
    """BODY with a projected token of AUDIENCE in its `main`, as the companion has one."""
    projected = {"serviceAccountToken": {"path": "token", "audience": audience, "expirationSeconds": 3600}}
    body["spec"]["volumes"] = [{"name": "token", "projected": {"sources": [projected]}}]
    body["spec"]["containers"][0]["volumeMounts"] = [{"name": "token", "mountPath": "/var/run/headrace"}]
    body["spec"] |= {"serviceAccountName": "headrace-task", "automountServiceAccountToken": False}
    return body


async def test_a_projected_token_names_its_pod(kube: Kube, namespace: str, network: Network) -> None:
    show = with_token(pods.pod("shows", namespace, "busybox", ["cat", "/var/run/headrace/token"]), ATTEMPTS)
    phase, token = pods.run(kube, show)
    assert phase == "Succeeded"
    uid = kube.get("Pod", "shows", namespace)["metadata"]["uid"]
    caller = await admitted(network, COMPANIONS, f"Bearer {token}", ELSEWHERE)
    assert caller == Caller("headrace-task", namespace, "shows", uid, ATTEMPTS)
    with pytest.raises(ServiceError, match="another audience"):
        await admitted(network, CONTROL, f"Bearer {token}", ELSEWHERE)


async def test_what_the_api_server_signs_for_others_opens_nothing(kube: Kube, namespace: str, network: Network) -> None:
    account(kube, "notebook", namespace)

    async def refused(policy, *asked: str | None) -> int:
        with pytest.raises(ServiceError) as error:
            await admitted(network, policy, f"Bearer {token_of(kube, asked[0] or '', namespace, asked[1])}", ELSEWHERE)
        return error.value.reason

    for policy in (CONTROL, COMPANIONS, API):
        assert await refused(policy, "headrace-scheduler", None) == Reason.UNAUTHENTICATED, "it is for the API server"
    assert await refused(CONTROL, "notebook", INTERNAL) == Reason.FORBIDDEN
    assert await refused(CONTROL, "headrace-task", INTERNAL) == Reason.FORBIDDEN
    assert await refused(COMPANIONS, "headrace-task", ATTEMPTS) == Reason.FORBIDDEN, "it is bound to no Pod"
    changed = list(token_of(kube, "headrace-scheduler", namespace, INTERNAL))
    changed[-20] = "A" if changed[-20] != "A" else "B"
    with pytest.raises(ServiceError, match="the token is not valid"):
        await admitted(network, CONTROL, f"Bearer {''.join(changed)}", ELSEWHERE)


async def test_the_api_is_for_accounts_of_the_installation_s_namespace(
    kube: Kube, namespace: str, namespaces, network: Network
) -> None:
    account(kube, "notebook", namespace)
    other = namespaces()
    account(kube, "notebook", other)
    mine = token_of(kube, "notebook", namespace, PUBLIC)
    assert (await admitted(network, API, f"Bearer {mine}", ELSEWHERE)).name == f"{namespace}:notebook"
    with pytest.raises(ServiceError, match=f"the account {other}:notebook may not call this"):
        await admitted(network, API, f"Bearer {token_of(kube, 'notebook', other, PUBLIC)}", ELSEWHERE)
