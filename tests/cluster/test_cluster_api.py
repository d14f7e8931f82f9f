"""The platform's client of the API on a real cluster: what it says where there is none, and what its calls promise."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest

from cluster.bringup.places import KUBECONFIG
from cluster.standing_in import cluster_api
from headrace_scheduler.executors.kubernetes.api import CONNECTIONS, ClusterApi
from headrace_scheduler.executors.kubernetes.calling import ApiError, path_of, uid_of
from headrace_servicekit.errors import ServiceError


@pytest.fixture
async def api() -> AsyncIterator[ClusterApi]:
    async with cluster_api(str(KUBECONFIG)) as opened:
        yield opened


def config_map(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"a": "b"}}}


async def test_no_cluster_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ServiceError, match="no Kubernetes cluster is configured: set KUBECONFIG"):
        await ClusterApi("").connect()


async def test_a_kubeconfig_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"no Kubernetes cluster can be reached with .*/nothing"):
        await ClusterApi(str(tmp_path / "nothing")).connect()


async def test_a_cluster_that_does_not_answer(tmp_path: Path) -> None:
    config = json.loads(KUBECONFIG.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (tmp_path / "config").write_text(json.dumps(config))
    api = ClusterApi(str(tmp_path / "config"))
    with pytest.raises(
        ServiceError, match=r"at https://127.0.0.1:1 does not answer: .*; is it up, and is KUBECONFIG its own"
    ):
        await api.connect()
    await api.close()


async def test_watches_of_many_namespaces_leave_room_for_calls(api: ClusterApi, namespace: str) -> None:
    path = path_of(namespace, "configmaps")
    (page,) = [one async for one in api.pages(path, {"labelSelector": "a=b"})]
    await api.create(path, config_map("one"))
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTIONS + 1):
            watch = await stack.enter_async_context(aclosing(api.watch(path, {"labelSelector": "a=b"}, page.version)))
            assert (await anext(watch)).kind == "ADDED"
        assert await api.delete(f"{path}/one")


async def test_a_delete_is_of_one_object_and_not_of_a_name(api: ClusterApi, namespace: str) -> None:
    path = path_of(namespace, "configmaps")
    uid = uid_of(await api.create(path, config_map("one")))
    assert not await api.delete(f"{path}/one", uid="00000000-0000-0000-0000-000000000000")
    assert await api.delete(f"{path}/one", uid=uid)
    assert not await api.delete(f"{path}/one", uid=uid)


async def test_a_name_that_is_taken(api: ClusterApi, namespace: str) -> None:
    path = path_of(namespace, "configmaps")
    await api.create(path, config_map("one"))
    with pytest.raises(ApiError, match="already exists") as refused:
        await api.create(path, config_map("one"))
    assert (refused.value.status, refused.value.reason, refused.value.temporary) == (409, "AlreadyExists", False)


async def test_a_watch_goes_on_from_where_a_list_ended(api: ClusterApi, namespace: str) -> None:
    path, query = path_of(namespace, "configmaps"), {"labelSelector": "a=b"}
    await api.create(path, config_map("before"))
    listed = [one["metadata"]["name"] async for page in api.pages(path, query) for one in page.items]
    assert listed == ["before"]
    version = [page.version async for page in api.pages(path, query)][-1]
    await api.create(path, config_map("after"))
    async with aclosing(api.watch(path, query, version)) as changes:
        change = await anext(changes)
    assert (change.kind, change.object["metadata"]["name"]) == ("ADDED", "after")


async def test_what_is_no_version(api: ClusterApi, namespace: str) -> None:
    with pytest.raises(ApiError, match='Invalid value: "never"'):
        await anext(api.watch(path_of(namespace, "configmaps"), {}, "never"))
