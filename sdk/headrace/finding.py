"""Where the platform is: a REST address, the settings, or the platform that is up on this machine.

Standard library alone. Used by api.connection and by the CLI. Settings: HEADRACE_ENDPOINT, HEADRACE_GRPC_ENDPOINT, HEADRACE_HOME.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from headrace.errors import BadInput, NoPlatform, PlatformUnreachable

HEALTH = "/apis/v2beta1/healthz"


@dataclass(frozen=True, slots=True)
class Address:
    """A platform's two addresses; `secure`: gRPC over TLS."""

    http: str
    grpc: str
    secure: bool = False


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """HOME of the embedded platform."""
    return Path(environ.get("HEADRACE_HOME") or "~/.local/share/headrace").expanduser().absolute()


def find(endpoint: str | None, environ: Mapping[str, str] = os.environ, *, token: str = "") -> Address:
    """The platform at ENDPOINT, else at HEADRACE_ENDPOINT, else the one up on this machine. Blocks: it may ask over HTTP."""
    endpoint = endpoint or environ.get("HEADRACE_ENDPOINT") or None
    grpc = environ.get("HEADRACE_GRPC_ENDPOINT") or None
    if endpoint is None:
        up = platform_up(home_folder(environ))
        if up is None:
            raise NoPlatform(
                "no platform is up on this machine; start one with `headrace up`, or name one with --endpoint "
                "or HEADRACE_ENDPOINT (http://host:8888)"
            )
        return Address(up.http, grpc or up.grpc, up.secure)
    http = checked(endpoint)
    return Address(http, grpc or reachable(ask_grpc(http, token), http), http.startswith("https://"))


def checked(endpoint: str) -> str:
    """ENDPOINT as a URL without a trailing slash."""
    given = endpoint.strip()
    text = given if "://" in given else f"http://{given}"
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, or too large; half an IPv6 address
        usable = False
    if any(char.isspace() or not char.isprintable() for char in given):
        usable = False
    if not usable:
        raise BadInput(f"endpoint {endpoint!r} is no address; give the REST address, such as http://127.0.0.1:8888")
    return text.rstrip("/")


def ask_grpc(http: str, token: str = "", timeout: float = 10.0) -> str:
    """The gRPC address that the platform at HTTP names in its health answer. TOKEN is shown only encrypted or to this machine,
    and to nobody that the platform redirects to.
    """
    import urllib.error
    import urllib.request
    from http.client import HTTPException

    # A proxy of the environment is not for this machine's own addresses.
    handlers = [urllib.request.ProxyHandler({})] if is_local(urlsplit(http).netloc) else []
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(http + HEALTH)  # noqa: S310  # `checked` lets http and https through alone
    if token and may_travel_to(http):
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with opener.open(request, timeout=timeout) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as refused:
        raise PlatformUnreachable(f"{http} answers {refused.code} to {HEALTH}: {_reason(refused)}") from None
    except HTTPException:
        raise PlatformUnreachable(
            f"what answers at {http} does not speak HTTP: give the platform's REST address, not its gRPC address"
        ) from None
    except (OSError, ValueError) as failed:
        why = getattr(failed, "reason", failed)
        raise PlatformUnreachable(f"no platform answers at {http}: {why}") from None
    grpc = told.get("grpc_endpoint") if isinstance(told, dict) else None
    if not isinstance(grpc, str) or not grpc:
        raise PlatformUnreachable(
            f"{http} is no Headrace platform, or hides its gRPC address; set HEADRACE_GRPC_ENDPOINT=host:port"
        )
    return grpc


def _reason(refused: object) -> str:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        told = json.loads(refused.read())  # type: ignore[attr-defined]
        if isinstance(told, dict) and told.get("message"):
            return str(told["message"])
    return str(getattr(refused, "reason", refused))


def reachable(grpc: str, http: str) -> str:
    """GRPC, with the REST host where the platform named a wildcard address."""
    host, colon, port = grpc.rpartition(":")
    if colon and host in ("", "0.0.0.0", "[::]", "::"):  # noqa: S104  # compared, not bound
        named = urlsplit(http).hostname or ""
        return f"[{named}]:{port}" if ":" in named else f"{named}:{port}"
    return grpc


def platform_up(home: Path, pid: int | None = None) -> Address | None:
    """The platform that HOME/up.json tells of; None where there is none, where it is dead, or where it is not process PID."""
    told = _read(home / "up.json")
    if told is None or told.get("host") not in (None, socket.gethostname()) or not alive(told.get("pid")):
        return None
    if pid is not None and told.get("pid") != pid:
        return None
    http, grpc = told.get("http_address"), told.get("grpc_address")
    if not isinstance(http, str) or not isinstance(grpc, str) or not _listens(grpc):
        return None
    return Address(checked(http), grpc)


def holder(home: Path) -> int | None:
    """The process that holds HOME/up.lock and lives; None where nobody does."""
    told = _read(home / "up.lock")
    pid = told.get("pid") if told else None
    return pid if isinstance(pid, int) and alive(pid) else None


def alive(pid: object) -> bool:
    """Whether a process of that number lives."""
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def is_local(netloc: str) -> bool:
    """Whether HOST:PORT is of this machine alone."""
    if netloc.startswith("unix:"):
        return True
    host = urlsplit(f"//{netloc}").hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def may_travel_to(address: str) -> bool:
    """Whether a token may go to ADDRESS: encrypted, not off this machine, or to a Service by its name inside a cluster."""
    place = address.partition("://")[2] if "://" in address else address
    if address.startswith("https://") or is_local(address if address.startswith("unix:") else place):
        return True
    host = urlsplit(f"//{place}").hostname or ""
    return host.endswith((".svc", ".svc.cluster.local"))


def _read(path: Path) -> dict[str, object] | None:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def _listens(grpc: str) -> bool:
    """A process number may be another program's by now; the platform's port tells."""
    if grpc.startswith("unix:"):
        return Path(grpc.removeprefix("unix:")).exists()
    host, _, port = grpc.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), timeout=2):
            return True
    except (OSError, ValueError):
        return False
