"""Which stores there are, whose they are, and what settings may say of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace_companion.folder_store import FolderStore
from headrace_protos.v1 import plan_pb2
from headrace_scheduler.server import index_of
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.stores.areas import Area, Areas
from headrace_scheduler.stores.composite import Stores
from headrace_scheduler.stores.configuring import make_stores
from headrace_servicekit.errors import ServiceError

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}
ALL = Area("s3://bucket/headrace")
MINE = Area("s3://mine", frozenset({"a"}), ("s3://data/",))
OURS = Area("s3://ours/x", frozenset({"b", "c"}))
AREAS = Areas([ALL, MINE, OURS])


@pytest.mark.parametrize(
    ("namespace", "root"),
    [("a", "s3://mine"), ("b", "s3://ours/x/namespaces/b"), ("default", "s3://bucket/headrace/namespaces/default")],
)
def test_where_the_runs_of_a_namespace_publish(namespace: str, root: str) -> None:
    assert AREAS.default_root(namespace) == root


@pytest.mark.parametrize(
    ("uri", "namespace", "sentence"),
    [
        ("s3://bucket/headrace/namespaces/a/run/x", "a", ""),
        ("s3://bucket/headrace/namespaces/b/run/x", "a", "belongs to the namespace 'b', not to 'a'"),
        ("s3://bucket/headrace/shared/x", "a", ""),
        ("s3://mine/run/x", "a", ""),
        ("s3://mine/run/x", "b", "lies in a store that is not for the namespace 'b'"),
        ("s3://ours/x/namespaces/c/y", "b", "belongs to the namespace 'c'"),
        ("s3://elsewhere/x", "a", ""),
    ],
)
def test_what_a_namespace_may_not_use(uri: str, namespace: str, sentence: str) -> None:
    problem = AREAS.problem(uri, namespace)
    assert (sentence in problem) if sentence else problem == ""


def test_whose_keys_read_what_lies_in_no_root() -> None:
    assert AREAS.reading("s3://data/set", "a") == MINE
    assert AREAS.reading("s3://data", "a") == MINE
    assert AREAS.reading("s3://database/set", "a") is None
    assert AREAS.reading("s3://data/set", "b") is None


def test_a_folder_of_one_machine_is_not_divided(tmp_path: Path) -> None:
    stores = make_stores(SchedulerSettings(home=tmp_path), {})
    assert stores.areas.default_root("a") == stores.root == (tmp_path / "artifacts").as_uri()


def test_each_uri_goes_to_the_store_that_holds_it(tmp_path: Path) -> None:
    default, other = FolderStore(tmp_path / "default"), FolderStore(tmp_path / "other")
    stores = Stores(default, [other], Areas([Area(default.root), Area(other.root, frozenset({"a"}))]))
    for uri, holder in ((default.uri("x/y"), default), (other.uri("x/y"), other), (default.uri(":1/y"), default)):
        key = stores.key(uri)
        assert key is not None
        stores.put_bytes(key, b"content")
        assert holder.exists(holder.key(uri) or "")
        assert stores.uri(key) == uri
    folder = stores.key(other.uri("x"))
    assert folder is not None
    assert [one.key for one in stores.listing(folder)] == [f"{folder}/y"]
    assert stores.key("file:///elsewhere") is None


def test_a_pipelines_own_root_counts_where_a_store_of_the_namespace_holds_it(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    stores = Stores(store, [], Areas([Area(store.root)]))
    for root, wanted in (
        (f"{store.root}/team", f"{store.root}/team"),
        (f"{store.root}/namespaces/b/x", f"{store.root}/namespaces/a"),
        ("s3://elsewhere", f"{store.root}/namespaces/a"),
    ):
        plan = plan_pb2.Plan(pipeline_name="p", default_pipeline_root=root)
        plan.dags.add()
        assert index_of(plan, "a", stores).default_root == wanted


@pytest.mark.parametrize(
    ("settings", "environ", "sentence"),
    [
        ({"artifact_root": "gs://b"}, {}, "HEADRACE_ARTIFACT_ROOT: .*write file:///absolute/path"),
        (
            {"artifact_root": "s3://b/p"},
            {},
            "HEADRACE_ARTIFACT_ROOT: there are no keys for s3://b/p: set AWS_ACCESS_KEY_ID",
        ),
        ({"executor": "kubernetes"}, {}, "HEADRACE_ARTIFACT_ROOT: no Pod reaches the folder file:.*: set it to s3://"),
        ({"artifact_root": "s3://"}, KEYS, "HEADRACE_ARTIFACT_ROOT: .*write s3://bucket/prefix"),
        (
            {"artifact_root": "minio://b/p"},
            {**KEYS, "AWS_ENDPOINT_URL_S3": ""},
            "minio:// needs its server's address in AWS_ENDPOINT_URL_S3",
        ),
        ({"stores_file": Path("/nothing")}, {}, "HEADRACE_STORES_FILE: /nothing cannot be read: No such file"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, settings: dict, environ: dict, sentence: str) -> None:
    with pytest.raises(ServiceError, match=sentence):
        make_stores(SchedulerSettings(home=tmp_path, **settings), {"HOME": str(tmp_path), **environ})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not YAML"),
        ("[]", "must hold a list 'stores'"),
        ("stores: [x]", "store 1 must be a mapping with 'root' and 'namespaces'"),
        ("stores: [{root: s3://b/p}]", "store 1 has no 'namespaces'"),
        ("stores: [{root: s3://b/p, namespaces: a}]", "store 1: 'namespaces' must be a list of texts"),
        ("stores: [{root: 1, namespaces: [a]}]", "store 1: 'root' must be a text"),
        (
            "stores: [{root: s3://b/p, namespaces: [a], key: x}]",
            "store 1 has 'key', which is not known; known are root,",
        ),
        ("stores: [{root: s3://b/p, namespaces: [a], reads: [data]}]", "'data' in 'reads' must begin with s3://"),
        ("stores: [{root: 'gs://b', namespaces: [a]}]", "the store gs://b: 'gs://b' is no S3-compatible store"),
        ("stores: [{root: s3://b/p, namespaces: [a], keys_file: /no}]", "the store s3://b/p: there are no keys in /no"),
        (
            "stores: [{root: s3://b/p, namespaces: [a]}, {root: s3://b/p/, namespaces: [b]}]",
            "the root s3://b/p is there twice",
        ),
    ],
)
def test_a_stores_file_that_cannot_be(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "stores.yaml"
    file.write_text(text)
    with pytest.raises(ServiceError, match="HEADRACE_STORES_FILE: ") as refused:
        make_stores(SchedulerSettings(home=tmp_path, stores_file=file), KEYS)
    assert sentence in refused.value.message


def test_keys_of_a_file_may_change(tmp_path: Path) -> None:
    from headrace_companion.buckets.connecting import FileKeys

    file = tmp_path / "keys"
    file.write_text("[default]\naws_access_key_id = one\naws_secret_access_key = s\n")
    keys = FileKeys(file)
    assert keys.retrieve().access_key == "one"
    file.write_text("[default]\naws_access_key_id = another\naws_secret_access_key = s\n")
    assert keys.retrieve().access_key == "another"
