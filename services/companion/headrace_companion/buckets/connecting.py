"""Connections to S3-compatible stores: endpoint, region and keys from the standard variables, as clients of `minio`.

Keys come from the environment, the shared credentials file, or the role that the environment names; without any, requests
are anonymous. Nothing asks a cloud's metadata address on its own account: on a laptop that only waits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import AWSConfigProvider, IamAwsProvider, Provider, StaticProvider

from headrace_companion.remote.connections import manager
from headrace_companion.remote.sources import Ambient
from headrace_companion.store import StoreError

AMAZON: Final = "https://s3.amazonaws.com"
REGION: Final = "us-east-1"
SILENCE_S: Final = 30.0
ROLES: Final = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


@dataclass(frozen=True, slots=True)
class Connection:
    """One server and what it knows us by. `public_endpoint`: how those reach it to whom we give URLs; "" = as we do."""

    endpoint: str
    region: str = REGION
    public_endpoint: str = ""
    keys: Provider | None = None

    def client(self, ambient: Ambient) -> Minio:
        """For what we ask ourselves."""
        return _client(self.endpoint, self.region, self.keys, ambient)

    def signer(self, ambient: Ambient) -> Minio:
        """For the URLs that we give out."""
        return _client(self.public_endpoint or self.endpoint, self.region, self.keys, ambient)

    def for_ourselves(self) -> Connection:
        """The same server, where we go the ways that it gives."""
        return replace(self, public_endpoint="")


def from_environment(ambient: Ambient) -> Connection:
    """The store that AWS_* variables describe; Amazon's where they name no endpoint."""
    return Connection(
        endpoint=ambient.first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL") or AMAZON,
        region=ambient.first("AWS_REGION", "AWS_DEFAULT_REGION") or REGION,
        keys=keys_of(ambient),
    )


def keys_of(ambient: Ambient) -> Provider | None:
    """Keys from the environment, the shared file, or a role; None: anonymous."""
    first = ambient.first
    key, secret = first("AWS_ACCESS_KEY_ID"), first("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        return StaticProvider(key, secret, first("AWS_SESSION_TOKEN") or None)
    if first(*ROLES):
        return IamAwsProvider()
    file = first("AWS_SHARED_CREDENTIALS_FILE")
    try:
        return FileKeys(Path(file) if file else Path.home() / ".aws" / "credentials", first("AWS_PROFILE"))
    except (StoreError, RuntimeError):  # there is no such file or profile, or no home
        return None


class FileKeys(Provider):
    """Keys in a credentials file as ~/.aws/credentials is one; they may be changed while we run."""

    def __init__(self, file: Path, profile: str = "") -> None:
        self._file = file
        self._provider = AWSConfigProvider(str(file), profile or None)
        self._read: tuple[int, Credentials] | None = None
        try:
            self.retrieve()
        except (ValueError, OSError, KeyError) as wrong:
            raise StoreError(f"there are no keys in {file}: write them as ~/.aws/credentials has them") from wrong

    def retrieve(self) -> Credentials:
        changed = self._file.stat().st_mtime_ns
        if self._read is None or self._read[0] != changed:
            self._read = changed, self._provider.retrieve()
        return self._read[1]


def _client(endpoint: str, region: str, keys: Provider | None, ambient: Ambient) -> Minio:
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    return Minio(
        parts.netloc,
        secure=parts.scheme == "https",
        region=region,
        credentials=keys,
        http_client=manager(endpoint, ambient, SILENCE_S),
    )
