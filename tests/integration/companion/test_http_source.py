"""Fetching over HTTP from a real server: resumed, bounded, asked once, and refused with a sentence."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.fix_http import Pages
from headrace_companion.remote.fetching import Fetcher, Means
from headrace_companion.remote.kept import KeptContent
from headrace_companion.remote.rewriting import Rewrites
from headrace_companion.remote.sources import Ambient, FetchFailed, Limits, NothingThere, Stopped
from headrace_companion.store import Stored

QUICK = Limits(most_bytes=1 << 20, silence_s=5.0, pauses=(0.0, 0.0))
BODY = bytes(range(256)) * 1000


def fetcher(folder: Path, *, keep: int = 1 << 20, rewrites: str = "", limits: Limits = QUICK) -> Fetcher:
    return Fetcher(folder / "imports", Means(limits, keep, Rewrites.parse(rewrites)), Ambient({}))


def fetched(one: Fetcher, uri: str) -> bytes:
    kept = one.fetch(uri, threading.Event(), lambda done, total: None)
    try:
        assert kept.stored.size == kept.path.stat().st_size
        return kept.path.read_bytes()
    finally:
        one.release(kept)


def test_a_page_is_fetched_with_its_digest(pages: Pages, tmp_path: Path) -> None:
    uri = pages.put("/a.csv", b"hello", etag='"1"')
    kept = fetcher(tmp_path).fetch(uri, threading.Event(), lambda done, total: None)
    assert (kept.path.read_bytes(), kept.stored.size, kept.stored.digest[:11]) == (b"hello", 5, "sha256:2cf2")


def test_what_has_not_changed_is_not_sent_again(pages: Pages, tmp_path: Path) -> None:
    uri = pages.put("/a.csv", BODY, etag='"1"')
    one = fetcher(tmp_path)
    assert [fetched(one, uri) for _ in range(3)] == [BODY] * 3
    assert pages.whole == 1
    pages.put("/a.csv", b"new", etag='"2"')
    assert fetched(one, uri) == b"new"
    assert fetched(fetcher(tmp_path), uri) == b"new"  # a platform that starts again still has it
    assert pages.whole == 2


def test_what_cannot_be_recognised_is_fetched_each_time_and_not_kept(pages: Pages, tmp_path: Path) -> None:
    uri = pages.put("/a.csv", b"one")
    one = fetcher(tmp_path)
    assert fetched(one, uri) == b"one"
    pages.put("/a.csv", b"two")
    assert fetched(one, uri) == b"two"
    assert not list((tmp_path / "imports").glob("[0-9a-f]*/*"))


def test_the_version_of_a_page_is_asked_for_without_its_body(pages: Pages, tmp_path: Path) -> None:
    uri = pages.put("/a.csv", BODY, etag='"1"')
    one = fetcher(tmp_path)
    assert one.version(uri, threading.Event()) == '"1"'
    pages.put("/a.csv", BODY, etag='"2"')
    assert one.version(uri, threading.Event()) == '"2"'
    assert one.version(pages.put("/b.csv", BODY), threading.Event()) == ""
    with pytest.raises(NothingThere):
        one.version(f"{uri}x", threading.Event())


def test_a_broken_transfer_goes_on_where_it_stopped(pages: Pages, tmp_path: Path) -> None:
    uri = pages.put("/a", BODY, etag='"1"', break_after=1000)
    assert fetched(fetcher(tmp_path), uri) == BODY
    assert [asked for _, asked, _ in pages.asked] == ["", "bytes=1000-"]


def test_a_server_that_cannot_resume_sends_everything_again(pages: Pages, tmp_path: Path) -> None:
    uri = pages.put("/a", BODY, etag='"1"', break_after=1000, ranges=False)
    assert fetched(fetcher(tmp_path), uri) == BODY


def test_a_transfer_that_always_breaks_off_fails_with_the_number_of_tries(pages: Pages, tmp_path: Path) -> None:
    uri = pages.put("/a", BODY, etag='"1"', break_after=0, breaks=99)
    with pytest.raises(FetchFailed, match=r"the transfer of .*/a broke off: .*\(tried 3 times\)"):
        fetched(fetcher(tmp_path), uri)
    assert not list((tmp_path / "imports").glob("[0-9a-f]*/*"))


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_tried_again(pages: Pages, tmp_path: Path, status: int) -> None:
    uri = pages.put("/a", b"late", status=status)

    def free(path: str) -> None:
        if len(pages.asked) == 2:
            pages.pages[path].status = 200

    pages.on_asked = free
    assert fetched(fetcher(tmp_path), uri) == b"late"


def test_redirects_are_followed_but_not_for_ever(pages: Pages, tmp_path: Path) -> None:
    pages.put("/there", b"content")
    uri = pages.put("/here", status=302, location="/there")
    assert fetched(fetcher(tmp_path), uri) == b"content"
    pages.put("/round", status=307, location="/round")
    with pytest.raises(FetchFailed, match="leads on more than 5 times"):
        fetched(fetcher(tmp_path), pages.root + "/round")


def test_a_redirect_to_another_scheme_is_not_followed(pages: Pages, tmp_path: Path) -> None:
    uri = pages.put("/here", status=302, location="file:///etc/passwd")
    with pytest.raises(FetchFailed, match="leads to file:///etc/passwd, which is not followed"):
        fetched(fetcher(tmp_path), uri)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(404, "answered 404: there is nothing"), (403, "answered 403: it refuses access"), (500, "answered 500")],
)
def test_refusals_say_what_the_server_answered(pages: Pages, tmp_path: Path, status: int, sentence: str) -> None:
    uri = pages.put("/a", status=status)
    with pytest.raises(FetchFailed, match=sentence) as refused:
        fetched(fetcher(tmp_path), uri)
    assert isinstance(refused.value, NothingThere) is (status == 404)


def test_nobody_listening_and_unknown_hosts_say_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(FetchFailed, match=r"127\.0\.0\.1 does not accept the connection \(tried 3 times\)"):
        fetched(fetcher(tmp_path), f"http://127.0.0.1:{port}/a")
    with pytest.raises(FetchFailed, match=r"the host nowhere\.invalid is not known"):
        fetched(fetcher(tmp_path), "http://nowhere.invalid/a")


def test_a_server_that_speaks_no_tls_is_refused(pages: Pages, tmp_path: Path) -> None:
    uri = pages.put("/a", b"x").replace("http://", "https://")
    with pytest.raises(FetchFailed, match="cannot be fetched"):
        fetched(fetcher(tmp_path), uri)


def test_what_is_larger_than_allowed_is_refused(pages: Pages, tmp_path: Path) -> None:
    uri = pages.put("/a", b"x" * 101)
    with pytest.raises(FetchFailed, match=r"larger than 100 bytes.*HEADRACE_IMPORT_MAX_BYTES"):
        fetched(fetcher(tmp_path, limits=Limits(most_bytes=100)), uri)


def test_a_password_goes_to_its_host_and_into_no_message(pages: Pages, tmp_path: Path) -> None:
    uri = pages.put("/a", b"secret", login="Basic dXNlcjpwYXNz").replace("http://", "http://user:pass@")
    assert fetched(fetcher(tmp_path), uri) == b"secret"
    with pytest.raises(FetchFailed) as refused:
        fetched(fetcher(tmp_path), uri.replace("pass", "wrong") + "?signature=hidden")
    assert "asks for a user" in str(refused.value)
    assert not {"wrong", "hidden"} & set(str(refused.value).replace("?", " ").replace(":", " ").split())


def test_a_mirror_stands_in(pages: Pages, tmp_path: Path) -> None:
    pages.put("/mirror/a.csv", b"from the mirror")
    one = fetcher(tmp_path, rewrites=f"https://example.invalid/={pages.root}/mirror/ gs://public/=file:///data/")
    assert fetched(one, "https://example.invalid/a.csv") == b"from the mirror"
    assert one.location("gs://public/x y") == "file:///data/x y"
    assert not one.can_fetch("gs://public/x")


def test_the_oldest_content_makes_room_but_never_what_is_in_use(pages: Pages, tmp_path: Path) -> None:
    one = fetcher(tmp_path, keep=250)
    uris = [pages.put(f"/{n}", bytes([n]) * 100, etag=f'"{n}"') for n in range(4)]
    held = one.fetch(uris[0], threading.Event(), lambda done, total: None)
    for uri in uris[1:]:
        fetched(one, uri)
    assert held.path.read_bytes() == bytes(100)
    one.release(held)
    sizes = [path.stat().st_size for path in (tmp_path / "imports").glob("[0-9a-f]*/*/content")]
    assert sizes == [100, 100]


def test_a_fetch_that_nobody_waits_for_stops(pages: Pages, tmp_path: Path) -> None:
    stop = threading.Event()
    uri = pages.put("/a", BODY * 8)  # two reads and more
    with pytest.raises(Stopped):
        fetcher(tmp_path, limits=Limits()).fetch(uri, stop, lambda done, total: stop.set())
    assert not list((tmp_path / "imports" / ".unfinished").iterdir())


def test_many_at_once_ask_for_the_content_safely(pages: Pages, tmp_path: Path) -> None:
    uri = pages.put("/a", BODY, etag='"1"')
    one = fetcher(tmp_path, keep=0)
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(fetched(one, uri))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [BODY] * 8


def test_a_version_that_goes_while_they_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptContent(tmp_path, 0)

    def fill(at: Path) -> Stored:
        return Stored(at.write_bytes(b"x"), "sha256:x", False)

    going = threading.Thread(target=kept.release, args=[kept.add("http://a/b", "", fill)])
    iterdir = Path.iterdir

    def meanwhile(folder: Path) -> Iterator[Path]:
        monkeypatch.setattr(Path, "iterdir", iterdir)
        going.start()
        going.join(0.2)  # it waits for the list, or takes the folder away
        return iterdir(folder)

    monkeypatch.setattr(Path, "iterdir", meanwhile)
    assert len(kept.versions("http://a/b")) == 1
    going.join()
    assert kept.versions("http://a/b") == []


@pytest.mark.parametrize("text", ["gs://a", "a=b", "gs://a/=b"])
def test_a_rewrite_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not FROM=TO with two URI prefixes"):
        Rewrites.parse(text)
