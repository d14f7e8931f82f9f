"""Artifacts whose code chose a path of its own: what is published from there, what is refused, what stays where it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.launches import Watched, launch, store_in, watching
from headrace_companion.assignment import Assignment, Folders, OutputArtifact
from headrace_companion.custom_paths import Bind
from headrace_companion.folder_store import FolderStore
from headrace_companion.publishing import publish
from headrace_companion.results import AttemptResult, Reason
from headrace_companion.staging import stage
from headrace_protos.v1 import events_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.process.executor import ProcessExecutor

SAY = 'printf \'{"artifacts": {"a": {"artifacts": [{"custom_path": "%s"}]}}}\' "$1" > "$0"'
METADATA = "{{$.outputs.output_file}}"


class Place:
    """An attempt whose process has ended; `said` is the path that its code gave its artifact."""

    def __init__(self, folder: Path) -> None:
        self.store = store_in(folder / "home")
        self.folders = Folders(folder / "home" / "attempts" / "one")
        prefix = f"{self.store.root}/pipeline/run/task/1"
        self.assignment = Assignment("task#1", prefix, (), {}, {}, {}, {}, {"a": OutputArtifact({})})
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()

    def publish(self, said: str | Path, *, anywhere: bool = True, binds: tuple[Bind, ...] = ()) -> AttemptResult:
        self.folders.top.mkdir(parents=True, exist_ok=True)
        staged = stage(self.assignment, self.folders, self.store)
        text = f'{{"artifacts": {{"a": {{"artifacts": [{{"custom_path": "{said}"}}]}}}}}}'
        self.folders.metadata_file.write_text(text)
        ended = AttemptResult("task#1", 0, None, None)
        return publish(self.assignment, staged, ended, self.store, anywhere=anywhere, binds=binds)

    def stored(self, result: AttemptResult) -> bytes:
        assert result.failure is None, result.failure
        key = self.store.key(result.artifacts["a"][0].uri)
        assert key == "pipeline/run/task/1/a"
        return self.store.read(key)

    def refusal(self, said: str | Path, *, anywhere: bool = True) -> str:
        failure = self.publish(said, anywhere=anywhere).failure
        assert failure is not None
        assert failure.reason is Reason.OUTPUT_PATH
        assert failure.message.startswith("output artifact 'a': ")
        return failure.message.removeprefix("output artifact 'a': ")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(Path(os.path.realpath(tmp_path)))
    yield made
    for folder in made.elsewhere.rglob("*"):
        if folder.is_dir() and not folder.is_symlink():
            folder.chmod(0o700)


def test_a_file_elsewhere_is_copied_and_stays(place: Place) -> None:
    (place.elsewhere / "data").write_bytes(b"hello")
    result = place.publish(place.elsewhere / "data")
    assert place.stored(result) == b"hello"
    assert (result.artifacts["a"][0].size, (place.elsewhere / "data").read_bytes()) == (5, b"hello")


def test_a_folder_elsewhere_is_copied_whole(place: Place) -> None:
    (place.elsewhere / "data" / "below").mkdir(parents=True)
    (place.elsewhere / "data" / "below" / "x").write_bytes(b"x")
    result = place.publish(place.elsewhere / "data")
    assert result.failure is None
    assert place.store.read("pipeline/run/task/1/a/below/x") == b"x"


def test_a_relative_path_is_one_of_the_working_folder(place: Place) -> None:
    work = place.folders.work
    work.mkdir(parents=True)
    (work / "data").write_bytes(b"hello")
    assert place.stored(place.publish("data", anywhere=False)) == b"hello"
    assert not (work / "data").exists()


def test_nothing_at_the_path_is_an_artifact_without_content(place: Place) -> None:
    result = place.publish(place.elsewhere / "data")
    assert result.failure is None
    assert result.artifacts["a"][0].digest is None


def test_a_path_on_a_volume_is_that_of_the_volumes_folder(place: Place) -> None:
    claim = place.elsewhere / "claim"
    (claim / "deep").mkdir(parents=True)
    (claim / "deep" / "data").write_bytes(b"hello")
    (claim / "link").symlink_to("/etc/passwd")
    binds = ((str(claim), "/mnt"), (str(claim / "deep"), "/mnt/in"))
    for said in ("/mnt/deep/data", "/mnt/in/data"):
        assert place.stored(place.publish(said, binds=binds)) == b"hello"
    assert place.publish("/mnt", binds=binds).failure is not None
    assert place.publish("/mnt/in", binds=binds).failure is None
    assert (claim / "deep" / "data").exists()


def test_links_are_not_followed(place: Place) -> None:
    (place.elsewhere / "secret").write_text("secret")
    (place.elsewhere / "link").symlink_to(place.elsewhere / "secret")
    assert "link' is a link; only regular files and folders can be published" in place.refusal(place.elsewhere / "link")
    (place.elsewhere / "folder").mkdir()
    (place.elsewhere / "folder" / "in").symlink_to(place.elsewhere / "secret")
    assert "folder/in' is a link" in place.refusal(place.elsewhere / "folder")
    (place.elsewhere / "way").symlink_to(place.elsewhere / "folder")
    assert "way' is a link" in place.refusal(place.elsewhere / "way" / "x")
    os.mkfifo(place.elsewhere / "pipe")
    assert "is a FIFO" in place.refusal(place.elsewhere / "pipe")
    assert not place.store.exists("pipeline/run/task/1/a")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_the_user_may_not_read_is_refused(place: Place) -> None:
    (place.elsewhere / "closed").mkdir(mode=0o700)
    (place.elsewhere / "closed" / "data").write_text("x")
    (place.elsewhere / "closed" / "data").chmod(0)
    assert "cannot be read: Permission denied" in place.refusal(place.elsewhere / "closed" / "data")
    (place.elsewhere / "closed").chmod(0o100)
    (place.elsewhere / "data").write_text("x")
    (place.elsewhere / "closed").chmod(0)
    assert place.publish(place.elsewhere / "closed" / "data").failure is not None


def test_a_way_that_can_be_gone_but_not_listed_is_gone(place: Place) -> None:
    (place.elsewhere / "way").mkdir()
    (place.elsewhere / "way" / "data").write_bytes(b"hello")
    (place.elsewhere / "way").chmod(0o100)
    assert place.stored(place.publish(place.elsewhere / "way" / "data")) == b"hello"


def test_what_is_on_no_disk_is_refused(place: Place) -> None:
    assert place.refusal("/proc/self/environ") == "its path /proc/self/environ is not on a disk"
    assert "is not on a disk" in place.refusal("/tmp/../proc/1/environ")


def test_the_platforms_own_folders_are_refused(place: Place) -> None:
    for said in ("/", place.store.folder, place.store.folder.parent, place.folders.top, place.folders.top.parent):
        assert "is a folder that the platform works in" in place.refusal(said)


def test_elsewhere_is_nowhere_for_a_companion_beside_the_container(place: Place) -> None:
    (place.elsewhere / "data").write_text("x")
    said = place.elsewhere / "data"
    assert place.refusal(said, anywhere=False) == (
        f"its path {said} lies outside the attempt's folder, where nothing can be read"
    )


async def test_a_consumer_finds_it_at_a_path_of_its_own(tmp_path: Path) -> None:
    home = tmp_path / "home"
    store: FolderStore = store_in(home)
    said = tmp_path / "data.csv"
    async with watching(ProcessExecutor(home, store, os.environ, grace_s=0.5)) as watched:
        made = await run(watched, store, f'printf hello > "$1"; {SAY}', METADATA, str(said))
        read = await run(
            watched,
            store,
            'test "$1" != "$2"; printf %s "$(cat "$1")" > "$0"',
            "{{$.outputs.parameters['Output'].output_file}}",
            "{{$.inputs.artifacts['a'].path}}",
            str(said),
            inputs=made.outputs.artifacts,
        )
    assert read.outputs.parameters["Output"].json == '"hello"'


async def run(watched: Watched, store: FolderStore, script: str, *argv: str, inputs: object = None):
    more = {"inputs": inputs, "outputs": {"Output": "STRING"}} if inputs else {"artifacts": [port.OutputArtifact("a")]}
    result = await watched.run(launch(store, "sh", "-ec", script, *argv, **more))
    assert result.state == events_pb2.ATTEMPT_SUCCEEDED, result.error
    return result
