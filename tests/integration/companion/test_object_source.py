"""Fetching from S3-compatible stores: objects and prefixes, keys of the platform's own, and refusals with a sentence."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from fixtures.fix_s3 import S3
from headrace_companion.remote.fetching import Fetcher, Means
from headrace_companion.remote.kept import Kept
from headrace_companion.remote.sources import Ambient, FetchFailed, Limits, NothingThere
from headrace_companion.store import SourceRefused

QUICK = Means(Limits(silence_s=5.0, pauses=(0.0,)))


def fetch(folder: Path, uri: str, environ: dict[str, str]) -> Kept:
    one = Fetcher(folder / "imports", QUICK, Ambient(environ))
    return one.fetch(uri, threading.Event(), lambda done, total: None)


@pytest.mark.parametrize("scheme", ["s3", "minio"])
def test_one_object_is_a_file(s3: S3, tmp_path: Path, scheme: str) -> None:
    s3.bucket("objects", {"data/a b#1.csv": b"hello", "data/a b#1.csv.bak": b"no"})
    kept = fetch(tmp_path, f"{scheme}://objects/data/a b#1.csv", s3.environ)
    assert (kept.path.read_bytes(), kept.stored.digest[:11]) == (b"hello", "sha256:2cf2")


def test_a_prefix_is_a_folder(s3: S3, tmp_path: Path) -> None:
    s3.bucket("folders", {"set/a": b"1", "set/below/b": b"22", "settings": b"no"})
    for uri in ("s3://folders/set", "s3://folders/set/"):
        kept = fetch(tmp_path, uri, s3.environ)
        found = {str(path.relative_to(kept.path)): path.read_bytes() for path in kept.path.rglob("*") if path.is_file()}
        assert (found, kept.stored.size, kept.stored.is_folder) == ({"a": b"1", "below/b": b"22"}, 3, True)


def test_what_has_not_changed_is_kept(s3: S3, tmp_path: Path) -> None:
    s3.bucket("kept", {"a": b"1"})
    first = fetch(tmp_path, "s3://kept/a", s3.environ)
    first.path.write_bytes(b"mark")
    assert fetch(tmp_path, "s3://kept/a", s3.environ).path.read_bytes() == b"mark"
    s3.bucket("kept", {"a": b"2"})
    assert fetch(tmp_path, "s3://kept/a", s3.environ).path.read_bytes() == b"2"


@pytest.mark.parametrize("uri", ["s3://nothing-here/a", "s3://objects/not-there", "s3://objects/not-there/"])
def test_nothing_there_says_so(s3: S3, tmp_path: Path, uri: str) -> None:
    s3.bucket("objects", {"x": b""})
    with pytest.raises(NothingThere, match=f"{uri} cannot be fetched: there is nothing"):
        fetch(tmp_path, uri, s3.environ)


@pytest.mark.parametrize("wrong", [{"AWS_SECRET_ACCESS_KEY": "wrong"}, {"AWS_ACCESS_KEY_ID": ""}])
def test_wrong_or_no_keys_are_refused_without_naming_them(s3: S3, tmp_path: Path, wrong: dict[str, str]) -> None:
    s3.bucket("private", {"a": b"1"})
    environ = {**s3.environ, **wrong, "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    with pytest.raises(FetchFailed, match=r"the store refuses access .*start the platform with credentials") as refused:
        fetch(tmp_path, "s3://private/a", environ)
    assert "a-secret-of-tests" not in str(refused.value)


def test_keys_may_come_from_the_shared_file(s3: S3, tmp_path: Path) -> None:
    s3.bucket("shared", {"a": b"1"})
    lines = ["[team]", "aws_access_key_id = headrace-test", "aws_secret_access_key = a-secret-of-tests"]
    (tmp_path / "credentials").write_text("\n".join(lines))
    environ = {"AWS_ENDPOINT_URL": s3.endpoint, "AWS_REGION": "us-east-1", "AWS_PROFILE": "team"}
    environ["AWS_SHARED_CREDENTIALS_FILE"] = str(tmp_path / "credentials")
    assert fetch(tmp_path, "s3://shared/a", environ).path.read_bytes() == b"1"


def test_google_cloud_storage_is_reached_by_its_s3_compatible_api(s3: S3, tmp_path: Path) -> None:
    s3.bucket("google", {"a": b"1"})
    environ = {"HEADRACE_GS_ENDPOINT_URL": s3.endpoint, "HEADRACE_GS_ACCESS_KEY_ID": "headrace-test"}
    environ["HEADRACE_GS_SECRET_ACCESS_KEY"] = "a-secret-of-tests"
    assert fetch(tmp_path, "gs://google/a", environ).path.read_bytes() == b"1"


def test_what_is_put_is_found_again(s3: S3, tmp_path: Path) -> None:
    s3.bucket("put", {})
    tree = tmp_path / "work" / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "below" / "a b#").write_bytes(b"22")
    (tree / "one").write_bytes(bytes(3 << 20))
    one = Fetcher(tmp_path / "imports", QUICK, Ambient(s3.environ))
    stored = one.store("s3://put/x/tree", tree, tmp_path / "work")
    single = one.store("s3://put/x/single", tree / "one", tmp_path / "work")
    for uri, there in (("s3://put/x/tree", stored), ("s3://put/x/single", single)):
        assert one.fetch(uri, threading.Event(), lambda done, total: None).stored == there
    assert (stored.is_folder, single.size) == (True, 3 << 20)


def test_what_cannot_be_put_says_so(s3: S3, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    one = Fetcher(tmp_path / "imports", QUICK, Ambient(s3.environ))
    denied = Fetcher(tmp_path / "imports", QUICK, Ambient({**s3.environ, "AWS_SECRET_ACCESS_KEY": "wrong"}))
    with pytest.raises(FetchFailed, match="nothing could be stored: s3://put/a cannot be reached: the store refuses"):
        denied.store("s3://put/a", tmp_path / "a", tmp_path)
    with pytest.raises(FetchFailed, match="s3://put names a whole bucket"):
        one.store("s3://put", tmp_path / "a", tmp_path)
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(SourceRefused, match="is a link"):
        one.store("s3://put/link", tmp_path / "link", tmp_path)


def test_minio_needs_an_address(tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match="minio:// needs its server's address in AWS_ENDPOINT_URL_S3"):
        fetch(tmp_path, "minio://bucket/a", {})


def test_an_object_whose_name_leaves_the_folder_is_refused(pages, tmp_path: Path) -> None:
    """No real store lists such a name; one that an attacker runs may."""
    listing = (
        '<?xml version="1.0"?><ListBucketResult><Name>evil</Name><IsTruncated>false</IsTruncated>'
        "<Contents><Key>set/../../escaped</Key><Size>1</Size><ETag>x</ETag>"
        "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>"
    )
    pages.put("/evil", listing.encode())
    environ = {"AWS_ENDPOINT_URL_S3": pages.root, "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    with pytest.raises(FetchFailed, match=r"holds '\.\./\.\./escaped', which would lie outside its folder"):
        fetch(tmp_path, "s3://evil/set/", environ)
    assert not (tmp_path.parent / "escaped").exists()


def test_a_store_that_is_not_known_is_named(tmp_path: Path) -> None:
    said = r"s3://bucket/a cannot be fetched: the host nowhere\.invalid is not known; correct the address of its store"
    with pytest.raises(FetchFailed, match=said):
        fetch(tmp_path, "s3://bucket/a", {"AWS_ENDPOINT_URL_S3": "http://nowhere.invalid"})
