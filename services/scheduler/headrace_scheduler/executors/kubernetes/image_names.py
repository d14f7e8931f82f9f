"""Image names as container tools read them, what registries answer about images, and pull secrets. Pure; used by `images`.

The protocol is the OCI distribution specification's: a manifest or an index of them, and the image's configuration by its digest.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

HUB: Final = "docker.io"
HUB_API: Final = "registry-1.docker.io"
HUB_KEYS: Final = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
INDEXES: Final = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
MANIFESTS: Final = frozenset(
    {"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
)
PREFERRED: Final = ("amd64", "arm64")
NAME: Final = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
TAG: Final = re.compile(r"\w[\w.-]{0,127}")
DIGEST: Final = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}")
HOST: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")
PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class ImageName:
    """`registry` is a host and perhaps a port; `reference` a tag or a digest."""

    registry: str
    repository: str
    reference: str

    @property
    def fixed(self) -> bool:
        """Whether it can never mean another image."""
        return ":" in self.reference


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """What an image runs when nobody says what to run."""

    entrypoint: tuple[str, ...]
    command: tuple[str, ...]

    def before(self, args: Sequence[Any]) -> tuple[str, ...]:
        """What comes before a task's arguments: they take the place of the image's own."""
        return self.entrypoint if args else (*self.entrypoint, *self.command)


@dataclass(frozen=True, slots=True)
class Login:
    """A user's name and password (or token) at a registry."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Challenge:
    """How a registry wants to be asked: `scheme` is basic or bearer."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def parse_name(text: str) -> ImageName:
    """Raises ValueError with a sentence."""
    rest, _, digest = text.partition("@")
    first, slash, other = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, rest = first, other
    else:
        registry = HUB
    repository, _, tag = rest.partition(":")
    if registry in (HUB, "index.docker.io"):
        registry, repository = HUB, repository if "/" in repository else f"library/{repository}"
    wrong = not HOST.fullmatch(registry) or not NAME.fullmatch(repository)
    wrong = wrong or bool(tag and not TAG.fullmatch(tag)) or ("@" in text and not DIGEST.fullmatch(digest))
    if wrong or rest.endswith(":"):
        raise ValueError(f"'{text[:200]}' is no name of an image")
    return ImageName(registry, repository, digest or tag or "latest")


def challenge(header: str) -> Challenge | None:
    """A WWW-Authenticate header; None: neither of the two ways that registries know."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() == "basic":
        return Challenge("basic")
    held = dict(PARAMETER.findall(rest))
    if scheme.lower() != "bearer" or not held.get("realm"):
        return None
    return Challenge("bearer", held["realm"], held.get("service", ""), held.get("scope", ""))


def manifest_for(document: Mapping[str, Any], architecture: str = "") -> str:
    """The digest of the manifest of an index to look at: of a kind of processor, else one that there is. Raises ValueError."""
    wanted = [architecture] if architecture else list(PREFERRED)
    found: dict[str, str] = {}
    for one in document.get("manifests") or ():
        platform = one.get("platform") or {}
        kind = str(platform.get("architecture", ""))
        if one.get("digest") and platform.get("os", "linux") == "linux" and kind != "unknown":
            found.setdefault(kind, str(one["digest"]))
    for kind in [*wanted, *(() if architecture else found)]:
        if kind in found:
            return found[kind]
    there = ", ".join(sorted(found)) or "none for Linux"
    raise ValueError(f"it has no variant for {architecture or 'Linux'}; it has {there}")


def config_of(document: Mapping[str, Any]) -> str:
    """The digest of the configuration that a manifest names. Raises ValueError."""
    digest = (document.get("config") or {}).get("digest")
    if not isinstance(digest, str):
        raise ValueError("its manifest names no configuration")
    return digest


def entry_point(config: Mapping[str, Any]) -> EntryPoint:
    """Raises ValueError where the image has none."""
    held = config.get("config") or {}
    made = EntryPoint(_words(held.get("Entrypoint")), _words(held.get("Cmd")))
    if not made.entrypoint and not made.command:
        raise ValueError("it has neither an entry point nor a command")
    return made


def _words(value: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def logins(secret: Mapping[str, Any], registry: str) -> list[Login]:
    """What a pull secret (as the API gives it) holds for a registry; [] where it is of another kind or for others."""
    for key, inside in ((".dockerconfigjson", True), (".dockercfg", False)):
        text = (secret.get("data") or {}).get(key)
        if not text:
            continue
        try:
            held = json.loads(base64.b64decode(text))
            every = held.get("auths", {}) if inside else held
            return [login for name, one in every.items() if _is(name, registry) and (login := _login(one))]
        except (ValueError, AttributeError):
            return []
    return []


def _is(name: str, registry: str) -> bool:
    if registry == HUB:
        return name.rstrip("/") in {one.rstrip("/") for one in HUB_KEYS}
    host = re.sub(r"^https?://", "", name).partition("/")[0]
    return host == registry


def _login(one: Mapping[str, Any]) -> Login | None:
    if one.get("username") or one.get("password"):
        return Login(str(one.get("username", "")), str(one.get("password", "")))
    user, colon, password = base64.b64decode(one.get("auth") or "").decode().partition(":")
    return Login(user, password) if colon else None
