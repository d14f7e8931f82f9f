"""The apiserver's settings, besides those that all services have. See services/apiserver/README.md."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from headrace_servicekit.network import Network
from headrace_servicekit.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiserverSettings(Settings):
    """HTTP_ADDRESS and GRPC_ADDRESS take port 0 for a free one."""

    # Who needs no token, where tokens are checked at all (HEADRACE_TOKEN_FILE). token: loopback, where port-forwards arrive;
    # token-always: nobody (a mesh's proxy in the Pod makes every caller look local); gateway: nobody is asked, because a
    # proxy that knows its users stands in front, and a NetworkPolicy lets it alone in.
    api_auth: Literal["token", "token-always", "gateway"] = "token"

    def admitting(self, network: Network) -> Network:
        """NETWORK, with who needs no token."""
        trusted = {"token": network.trusted, "token-always": lambda _: False, "gateway": lambda _: True}
        return replace(network, trusted=trusted[self.api_auth])
