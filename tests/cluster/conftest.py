"""Fixtures of the tests on the cluster: the companion's image of this working tree, a store on the bridge, a platform on Pods."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from cluster.bringup import images
from cluster.bringup.kube import Kube
from cluster.bringup.places import GATEWAY
from cluster.installation import Installation, installed
from fixtures.fix_cluster import new_namespace
from fixtures.fix_s3 import S3, Server
from fixtures.platforms import faults_in_logs

SHORT_WAITS = {"HEADRACE_GRACE_S": "2", "HEADRACE_KEEP_PODS_S": "5", "HEADRACE_UNSTARTABLE_AFTER_S": "15"}
Install = Callable[..., AbstractContextManager[Installation]]


@pytest.fixture(scope="session")
def companion() -> str:
    """The name of the companion's image of this working tree; a new name for each content, so that nodes pull it."""
    return os.environ.get("HEADRACE_TEST_COMPANION") or images.companion_by_content()


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The session's SeaweedFS on the bridge; who stops it starts it again."""
    server = Server(tmp_path_factory.mktemp("store"), GATEWAY)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def objects(store_server: Server) -> S3:
    return store_server.start()


@pytest.fixture(scope="session")
def store(objects: S3) -> S3:
    return objects


@pytest.fixture
def install(
    kube: Kube, store: S3, companion: str, namespaces: Callable[..., str], tmp_path: Path
) -> Callable[..., AbstractContextManager[Installation]]:
    """Makes a platform of a test's own: `with install(HEADRACE_KEEP_PODS_S="0") as platform: …`."""

    def make(namespace: str = "", **settings: str) -> AbstractContextManager[Installation]:
        name = namespace or namespaces()
        return installed(kube, name, tmp_path / name, store, companion, settings)

    return make


@pytest.fixture(scope="session")
def shared_platform(
    kube: Kube, store: S3, companion: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("on-pods")
    namespace = f"t-{folder.parent.name[-4:]}-{images.key(str(folder).encode())[:6]}".lower()
    new_namespace(kube, namespace)
    try:
        with installed(kube, namespace, folder, store, companion, SHORT_WAITS) as made:
            yield made
    finally:
        kube.delete("Namespace", namespace)


@pytest.fixture(scope="module")
def on_pods(shared_platform: Installation) -> Iterator[Installation]:
    """One platform for all tests that need none of their own. Its logs get no traceback in any of its modules."""
    before = Counter(faults_in_logs(shared_platform.folder / "home"))
    yield shared_platform
    assert not Counter(faults_in_logs(shared_platform.folder / "home")) - before
