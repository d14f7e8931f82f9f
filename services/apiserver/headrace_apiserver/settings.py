"""The apiserver's settings, besides those that all services have. See services/apiserver/README.md."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from headrace_servicekit.network import Network
from headrace_servicekit.settings import Settings

OBJECT_STORES: Final = ("s3", "minio")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiserverSettings(Settings):
    """HTTP_ADDRESS and GRPC_ADDRESS take port 0 for a free one."""

    # Who needs no token, where tokens are checked at all (HEADRACE_TOKEN_FILE). token: loopback, where port-forwards arrive;
    # token-always: nobody (a mesh's proxy in the Pod makes every caller look local); gateway: nobody is asked, because a
    # proxy that knows its users stands in front, and a NetworkPolicy lets it alone in.
    api_auth: Literal["token", "token-always", "gateway"] = "token"

    stores_file: Path | None = None  # the scheduler's: where there is one, runs may publish to object stores too

    watchers: int = (
        1000  # most watch streams at once; each holds one answer, of about 256 KiB at most, for a slow reader
    )

    def roots(self) -> tuple[str, ...]:
        """The kinds of places that runs may publish to; which of them there are is the scheduler's to know."""
        scheme = (self.artifact_root or "file://").partition("://")[0]
        buckets = OBJECT_STORES if self.stores_file or scheme in OBJECT_STORES else ()
        return (*(("file",) if scheme == "file" else ()), *buckets)

    def admitting(self, network: Network) -> Network:
        """NETWORK, with who needs no token."""
        trusted = {"token": network.trusted, "token-always": lambda _: False, "gateway": lambda _: True}
        return replace(network, trusted=trusted[self.api_auth])
