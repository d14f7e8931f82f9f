"""Settings: frozen dataclasses filled from `HEADRACE_*` variables, and the folders that follow from HOME.

Each service declares its own dataclass (usually a child of `Settings`) and calls `load`. No other module of a
service reads the environment.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

PREFIX: Final = "HEADRACE_"
# A unix socket path holds 104 bytes on macOS, 108 on Linux; the rest is for "/postgres/.s.PGSQL.5432" and its lock file.
LONGEST_SOCKETS_FOLDER: Final = 70
ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"  # where a Pod finds its account's token
SECRET: Final = ("url", "token", "password", "secret", "key")  # a variable so named is never shown
WORDS: Final = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
ServiceName = Literal["persistence", "scheduler", "cache"]
T = TypeVar("T")


class SettingsError(ValueError):
    """A variable cannot be read; the message names it, its value and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every service knows; a variable's name is PREFIX and the field's name in capitals."""

    home: Path = Path("~/.local/share/headrace")  # all state of an embedded platform lies below
    database_url: str | None = None  # any Postgres >= 15; None: the bundled one
    artifact_root: str | None = None  # file://… or s3://…; None: HOME/artifacts
    executor: Literal["process", "kubernetes", "simulated"] = "process"
    http_address: str = "127.0.0.1:8888"
    grpc_address: str = "127.0.0.1:8887"
    persistence_address: str | None = None  # None: a unix socket in the sockets folder
    scheduler_address: str | None = None
    cache_address: str | None = None
    listen_address: str | None = None  # where this service itself listens, if others call another address
    token_file: Path | None = None  # this service's own token, kept fresh by the kubelet; to meet others over TCP
    token_issuer: str | None = None  # of callers' tokens; None: the issuer of our own
    jwks_url: str = "https://kubernetes.default.svc/openid/v1/jwks"  # the keys of tokens; https or file
    jwks_ca_file: Path = Path(f"{ACCOUNT}/ca.crt")  # whom to trust there; where it is not: the system's authorities
    jwks_token_file: Path = Path(f"{ACCOUNT}/token")  # for the API server, which gives its keys to accounts alone
    control_accounts: str = ""  # "namespace:name …" or names in our own: who may call the services; "": our own
    api_accounts: str = ""  # who may call the public API from other namespaces: "namespace:name …" or "namespace:*"
    endpoint: str | None = None  # what clients call; None: the platform that is up on this machine
    grpc_endpoint: str | None = None  # what clients are told to use for gRPC where an ingress stands in front
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"  # json: one object a line, for collectors of logs
    cluster_fixed: bool = False  # true: a request that no node satisfies is refused at submission
    strict_resources: bool = False  # true: requests above this machine are refused, not capped

    def address_of(self, service: ServiceName) -> str:
        given: str | None = getattr(self, f"{service}_address")
        return given or f"unix:{sockets_folder(self.home)}/{service}.sock"

    def listening(self, service: ServiceName) -> str:
        """Where SERVICE itself listens."""
        return self.listen_address or self.address_of(service)


def load(cls: type[T], environ: Mapping[str, str] | None = None) -> T:
    """An instance of the dataclass CLS from ENVIRON; raises SettingsError with every wrong variable."""
    environ, hints = os.environ if environ is None else environ, typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for field in fields(cls):  # type: ignore[arg-type]  # T is any dataclass; fields() checks
        text = environ.get(variable := PREFIX + field.name.upper())
        if text is None or text == "":
            if field.default is MISSING and field.default_factory is MISSING:
                problems.append(f"{variable} is not set; expected {_expected(hints[field.name])}")
            continue
        try:
            values[field.name] = _parse(hints[field.name], text)
        except ValueError:
            shown = "(hidden)" if any(word in field.name for word in SECRET) else repr(text)
            problems.append(f"{variable} is {shown}; expected {_expected(hints[field.name])}")
    if problems:
        raise SettingsError("; ".join(problems))
    made = cls(**values)
    for name in hints:
        if isinstance(value := getattr(made, name), Path):
            object.__setattr__(made, name, value.expanduser().absolute())
    return made


def _parse(hint: Any, text: str) -> object:
    hint = _plain(hint)
    if typing.get_origin(hint) is Literal or hint is bool:
        known = WORDS if hint is bool else {choice: choice for choice in typing.get_args(hint)}
        if text.lower() not in known:
            raise ValueError(text)
        return known[text.lower()]
    if hint in (str, int, float, Path):
        return hint(text)
    raise TypeError(f"settings cannot hold {hint}")  # a programming fault, not the user's


def _plain(hint: Any) -> Any:
    """The type itself of an optional one."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next(arg for arg in typing.get_args(hint) if arg is not type(None))
    return hint


def _expected(hint: Any) -> str:
    hint = _plain(hint)
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(typing.get_args(hint))
    return {bool: "true or false", int: "a whole number", float: "a number", Path: "a path"}.get(hint, "a text")


def home_hash(home: Path) -> str:
    """A short name for HOME, for folders that cannot lie below it."""
    return hashlib.sha256(os.fsencode(os.path.realpath(home))).hexdigest()[:16]


def sockets_folder(home: Path) -> Path:
    """HOME/sockets, or a short folder of this user's elsewhere where HOME is too long for a unix socket's path."""
    folder = home / "sockets"
    if len(os.fsencode(folder)) <= LONGEST_SOCKETS_FOLDER:
        return folder
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    base = runtime if runtime and len(runtime) <= 32 and os.access(runtime, os.W_OK) else tempfile.gettempdir()
    base = base if len(os.fsencode(base)) <= 32 else "/tmp"  # noqa: S108  # the folder itself is private: see private_folder
    return Path(base) / f"headrace-{os.getuid()}-{home_hash(home)}"


def private_folder(folder: Path) -> Path:
    """FOLDER, made with mode 0700 if it is not there; refuses one that others own or may enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise SettingsError(f"{folder} belongs to another user; remove it, or set HEADRACE_HOME to a folder of yours")
    folder.chmod(0o700)
    return folder
