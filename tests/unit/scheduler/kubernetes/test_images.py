"""Image names, what registries say of images, and a registry on loopback that is asked for entry points."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from builders.registries import Registry, serving
from headrace_scheduler.executors.kubernetes import image_names
from headrace_scheduler.executors.kubernetes.image_names import Challenge, EntryPoint, ImageName, Login
from headrace_scheduler.executors.kubernetes.images import Away, Images, registries
from headrace_scheduler.executors.kubernetes.problems import Refused

CONFIG = {"config": {"Entrypoint": ["/app"], "Cmd": ["--help"]}}
DIGEST = "sha256:" + "a" * 64


# ---- names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python", ImageName("docker.io", "library/python", "latest")),
        ("python:3.11", ImageName("docker.io", "library/python", "3.11")),
        ("docker.io/python:3.11", ImageName("docker.io", "library/python", "3.11")),
        ("team/image", ImageName("docker.io", "team/image", "latest")),
        ("ghcr.io/a/b/c:v1.2", ImageName("ghcr.io", "a/b/c", "v1.2")),
        ("localhost:5000/x", ImageName("localhost:5000", "x", "latest")),
        ("localhost/x", ImageName("localhost", "x", "latest")),
        (f"ghcr.io/a/b:v1@{DIGEST}", ImageName("ghcr.io", "a/b", DIGEST)),
    ],
)
def test_the_name_of_an_image(text, expected):
    assert image_names.parse_name(text) == expected


@pytest.mark.parametrize("text", ["", "UPPER", "a b", "x:", "x@sha256:1", "http://x/y", "a:b:c", "-x/y.z", "x/../y"])
def test_what_is_no_name_of_an_image(text):
    with pytest.raises(ValueError, match=r"is no name of an image"):
        image_names.parse_name(text)


def test_challenges():
    header = 'Bearer realm="https://auth.test/token",service="s",scope="repository:x:pull"'
    assert image_names.challenge(header) == Challenge("bearer", "https://auth.test/token", "s", "repository:x:pull")
    assert image_names.challenge('Basic realm="x"') == Challenge("basic")
    assert image_names.challenge("Negotiate") is None
    assert image_names.challenge("") is None


def test_the_variant_of_an_index():
    def one(kind: str, system: str = "linux") -> dict[str, object]:
        return {"digest": f"{system}-{kind}", "platform": {"os": system, "architecture": kind}}

    index = {"manifests": [one("amd64", "windows"), one("s390x"), one("unknown"), one("arm64")]}
    assert image_names.manifest_for(index) == "linux-arm64"
    assert image_names.manifest_for(index, "s390x") == "linux-s390x"
    assert image_names.manifest_for({"manifests": [one("riscv64")]}) == "linux-riscv64"
    with pytest.raises(ValueError, match=r"it has no variant for amd64; it has arm64, s390x"):
        image_names.manifest_for(index, "amd64")


@pytest.mark.parametrize(
    ("config", "args", "expected"),
    [
        ({"Entrypoint": ["/app"], "Cmd": ["--help"]}, [], ("/app", "--help")),
        ({"Entrypoint": ["/app"], "Cmd": ["--help"]}, ["x"], ("/app",)),
        ({"Entrypoint": None, "Cmd": ["sh"]}, [], ("sh",)),
        ({"Cmd": ["sh"]}, ["x"], ()),
    ],
)
def test_what_an_image_runs(config, args, expected):
    assert image_names.entry_point({"config": config}).before(args) == expected


def secret(document: object, key: str = ".dockerconfigjson") -> dict[str, object]:
    return {"data": {key: base64.b64encode(json.dumps(document).encode()).decode()}}


def test_pull_secrets():
    pair = base64.b64encode(b"me:my:word").decode()
    both = secret(
        {"auths": {"https://index.docker.io/v1/": {"auth": pair}, "ghcr.io": {"username": "u", "password": "p"}}}
    )
    assert image_names.logins(both, "docker.io") == [Login("me", "my:word")]
    assert image_names.logins(both, "ghcr.io") == [Login("u", "p")]
    assert image_names.logins(both, "other") == []
    older = secret({"https://ghcr.io/v2": {"auth": pair}}, ".dockercfg")
    assert image_names.logins(older, "ghcr.io") == [Login("me", "my:word")]
    assert image_names.logins({"data": {".dockerconfigjson": "%%"}}, "ghcr.io") == []
    assert image_names.logins({}, "ghcr.io") == []


def test_where_to_ask_instead():
    assert registries("docker.io=http://m:5000/ *=https://all") == {"docker.io": "http://m:5000", "*": "https://all"}
    with pytest.raises(ValueError, match=r"'docker.io': write REGISTRY=https://host:port"):
        registries("docker.io")


# ---- a registry


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def asking(registry: Registry, clock: Clock | None = None) -> AsyncIterator[Images]:
    async with serving(registry):
        images = Images({"*": registry.base}, clock or Clock())
        try:
            yield images
        finally:
            await images.close()


def nobody(_registry: str) -> list[Login]:
    return []


async def test_an_entry_point_is_asked_once_for_a_digest_and_now_and_then_for_a_tag():
    registry, clock = Registry(), Clock()
    digest = registry.add("team/image", "v1", CONFIG)
    async with asking(registry, clock) as images:
        for _ in range(2):
            assert await images.entry_point("team/image:v1", nobody) == EntryPoint(("/app",), ("--help",))
        assert len(registry.asked) == 2
        clock.now = 301
        await images.entry_point("team/image:v1", nobody)
        assert len(registry.asked) == 4
        await images.entry_point(f"team/image@{digest}", nobody)
        clock.now = 10_000
        await images.entry_point(f"team/image@{digest}", nobody)
        assert len(registry.asked) == 6


async def test_an_index_leads_to_an_image():
    registry = Registry()
    arm = registry.add("x/y", "arm", {"config": {"Entrypoint": ["/arm"]}})
    intel = registry.add("x/y", "intel", {"config": {"Entrypoint": ["/intel"]}})
    registry.add_index("x/y", "latest", {"arm64": arm, "amd64": intel})
    async with asking(registry) as images:
        assert (await images.entry_point("x/y", nobody)).entrypoint == ("/intel",)
        assert (await images.entry_point("x/y", nobody, "arm64")).entrypoint == ("/arm",)


@pytest.mark.parametrize("basic", [False, True])
async def test_a_registry_that_asks_who_we_are(basic):
    registry = Registry(login=("me", "word"), basic=basic)
    registry.add("x/y", "latest", CONFIG)
    async with asking(registry) as images:
        with pytest.raises(Refused) as refused:
            await images.entry_point("x/y", nobody)
        assert str(refused.value) == (
            "the entry point of the image 'x/y' is not known: 'docker.io' asks for credentials: look at the image's name, or "
            "give an image pull secret, or give the component a command"
        )
        found = await images.entry_point("x/y", lambda name: [Login("other", "wrong"), Login("me", "word")])
        assert found.entrypoint == ("/app",)


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (
            "x/gone:v2",
            "the entry point of the image 'x/gone:v2' is not known: it is not in 'docker.io': look at its name and tag, or give "
            "the component a command",
        ),
        (
            "x/empty",
            "the component has no command and its image 'x/empty' gives none: it has neither an entry point nor a command; give "
            "the component a command",
        ),
        ("X", "'X' is no name of an image"),
    ],
)
async def test_an_image_without_an_entry_point(image, sentence):
    registry = Registry()
    registry.add("x/empty", "latest", {"config": {}})
    async with asking(registry) as images:
        with pytest.raises(Refused) as refused:
            await images.entry_point(image, nobody)
    assert str(refused.value) == sentence
    assert refused.value.reason == "Environment"


async def test_an_image_that_describes_itself_at_length():
    registry = Registry()
    registry.add("x/long", "latest", {"config": {"Cmd": ["x" * (5 << 20)]}})
    async with asking(registry) as images:
        with pytest.raises(Refused, match=r"its description is larger than 4 MiB"):
            await images.entry_point("x/long", nobody)


async def test_a_registry_that_is_away():
    async with asking(Registry(status=503)) as images:
        with pytest.raises(Away, match=r"the registry 'ghcr.io' of the image 'ghcr.io/x' does not answer: HTTP 503"):
            await images.entry_point("ghcr.io/x", nobody)
