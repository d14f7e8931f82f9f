"""What only the world knows of a key: contents of folders and places elsewhere, and what an image's tag names."""

from __future__ import annotations

import os

import pytest

from headrace_companion.machine_store import MachineStore
from headrace_companion.remote.fetching import AS_IT_IS, Fetcher
from headrace_companion.remote.sources import Ambient
from headrace_protos.v1 import cache_pb2, events_pb2
from headrace_scheduler.engine.commands import AskCache, CommitCache
from headrace_scheduler.identifying import NOTHING, Identifier
from headrace_scheduler.settings import SchedulerSettings


@pytest.fixture
def identifier(tmp_path):
    async def image_digest(image, namespace, secrets, ran):
        return ran or f"sha256:{image}/{namespace}/{','.join(secrets)}"

    remote = Fetcher(tmp_path / "imports", AS_IT_IS, Ambient())
    return Identifier(MachineStore(tmp_path / "store"), remote, image_digest)


def asking(*uris: str, image: str = "python:3.11", **ingredients) -> AskCache:
    return AskCache("a", cache_pb2.Ingredients(image=image, namespace="team", **ingredients), uris, ("pull",))


async def version(identifier, uri: str) -> str:
    (made,) = await identifier.complete([asking(uri)])
    return made if isinstance(made, str) else made.versions[uri]


async def test_a_file_is_what_is_in_it(identifier, tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("one")
    first = await version(identifier, data.as_uri())
    os.utime(data, ns=(1, 1))
    assert await version(identifier, data.as_uri()) == first
    data.write_text("two")
    assert await version(identifier, data.as_uri()) != first
    data.write_text("one")
    assert await version(identifier, data.as_uri()) == first


async def test_a_folder_is_all_that_is_in_it(identifier, tmp_path):
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a").write_text("one")
    first = await version(identifier, folder.as_uri())
    (folder / "b").write_text("")
    assert await version(identifier, folder.as_uri()) != first


async def test_where_nothing_lies_is_a_version_too(identifier, tmp_path):
    assert await version(identifier, (tmp_path / "nothing").as_uri()) == NOTHING


@pytest.mark.parametrize("uri", ["hf://datasets/iris", "oci://registry/model:latest"])
async def test_what_nobody_can_tell_apart_has_no_key_and_says_what_to_do(identifier, uri):
    told = await version(identifier, uri)
    assert told == f"what lies at {uri} cannot be told apart from what was there before: give a cache key"


async def test_an_image_that_names_its_digest_is_that_digest(identifier):
    uri = "oci://registry/model@sha256:abc"
    assert await version(identifier, uri) == "sha256:abc"
    (made,) = await identifier.complete([asking(image="python@sha256:123")])
    assert made.image_digest == "sha256:123"


async def test_a_tag_is_asked_for_with_the_secrets_of_its_task(identifier):
    (made,) = await identifier.complete([asking()])
    assert made.image_digest == "sha256:python:3.11/team/pull"


async def test_before_a_commit_what_ran_counts(identifier):
    one = asking()
    command = CommitCache("a", "key", "token", events_pb2.Values(), one.ingredients, (), ("pull",), "sha256:old")
    made = await identifier.complete([one, command])
    assert [each.image_digest for each in made] == ["sha256:python:3.11/team/pull", "sha256:old"]


async def test_a_key_of_ones_own_needs_nothing(identifier):
    (made,) = await identifier.complete([asking("hf://datasets/iris", custom_key="mine")])
    assert made == asking(custom_key="mine").ingredients


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        ("trust", "trusted"),
        (
            "refuse",
            "what lies at https://host/data.csv is not looked at from here (HEADRACE_CACHE_SOURCES), and may have changed: "
            "give a cache key",
        ),
    ],
)
async def test_other_places_are_asked_only_where_the_operator_lets_us(identifier, sources, told, tmp_path):
    identifier.sources = sources
    assert await version(identifier, "https://user:password@host/data.csv?token=x") == told
    data = tmp_path / "data.csv"
    data.write_text("one")
    assert (await version(identifier, data.as_uri())).startswith("sha256:")


@pytest.mark.parametrize(
    ("executor", "said", "expected"),
    [
        ("process", "auto", "ask"),
        ("kubernetes", "auto", "refuse"),
        ("kubernetes", "ask", "ask"),
        ("process", "trust", "trust"),
    ],
)
def test_on_kubernetes_a_pipeline_does_not_choose_whom_the_scheduler_asks(executor, said, expected):
    assert SchedulerSettings(executor=executor, cache_sources=said).sources() == expected


async def test_a_fault_of_ours_is_no_reason_to_fail(identifier, monkeypatch):
    def broken(uri, stop):
        raise RuntimeError("a fault")

    monkeypatch.setattr(identifier.remote, "version", broken, raising=False)
    assert (
        await version(identifier, "https://host/data.csv?token=x")
        == "what lies at https://host/data.csv cannot be told"
    )
