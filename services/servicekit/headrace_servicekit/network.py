"""What a process needs to meet others over the network: its own token to present, and how it checks those of its callers.

The composition root makes it (`headrace_identity`), a companion makes `Network(token=TokenFile(path))`. Without either (`LOCAL`)
a process speaks over unix sockets and serves the public API on loopback. Used by `server`, which asks `Gate` for each call.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import unquote

from headrace_servicekit import callers
from headrace_servicekit.callers import Caller
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.policies import CONTROL, Accounts, Policy, refusal
from headrace_servicekit.tokens import TokenFile, bearer, unauthenticated

NOBODY: Final = Accounts()


class Verifier(Protocol):  # raises UNAUTHENTICATED where a token is not accepted for one of the audiences
    async def verify(self, token: str, audiences: tuple[str, ...]) -> Caller: ...


def is_loopback(peer: str) -> bool:
    """Whether a peer, as gRPC or a socket names it, is on this machine (in a Pod: where port-forwards arrive).

    Not all of 127/8: a mesh's proxy hands on what comes from elsewhere as 127.0.0.6.
    """
    bare = unquote(peer).removeprefix("ipv4:").removeprefix("ipv6:")
    host = bare.partition("]")[0] if bare.startswith("[") else bare
    host = host.partition(":")[0] if host.count(":") == 1 else host
    with suppress(ValueError):
        address = ipaddress.ip_address(host.removeprefix("["))
        address = getattr(address, "ipv4_mapped", None) or address
        return str(address) in ("127.0.0.1", "::1")
    return False


@dataclass(frozen=True, slots=True)
class Network:
    """TOKEN is presented by channels; with VERIFIER a server may listen beyond this machine."""

    token: TokenFile | None = None
    verifier: Verifier | None = None
    control: Accounts = NOBODY
    public: Accounts = NOBODY
    trusted: Callable[[str], bool] = is_loopback  # who needs no token for the public API, by address


LOCAL: Final = Network()


class Gate:
    """Decides for each call to one server who calls, and whether that caller may."""

    def __init__(self, network: Network, policies: Mapping[str, Policy], *, checked: bool) -> None:
        """CHECKED: the server's address can be reached by others than this user."""
        self._network, self._policies = network, policies
        self._checked = checked and network.verifier is not None  # without one it is loopback, see server.check_address

    def asks_where_from(self, method: str) -> bool:
        """Whether the caller's address decides: it is known later than the call's headers."""
        return self._checked and self._policy(method).who == "public"

    async def caller(self, method: str, metadata: Mapping[str, Any], peer: str) -> Caller:
        """Who calls METHOD (`/package.Service/Name`); raises UNAUTHENTICATED or FORBIDDEN."""
        policy = self._policy(method)
        if not self._checked or policy.who == "anyone":
            return callers.LOCAL
        return await admitted(self._network, policy, metadata.get("authorization"), peer)

    def _policy(self, method: str) -> Policy:
        return self._policies.get(method.split("/")[1], CONTROL)


async def admitted(network: Network, policy: Policy, authorization: object, peer: str) -> Caller:
    """The caller that the header AUTHORIZATION names, if it may call under POLICY; also what the REST gateway asks."""
    assert network.verifier is not None
    if policy.who == "public" and network.trusted(peer):
        return callers.LOCAL
    if (token := bearer(authorization)) is None:
        raise unauthenticated(
            "this call needs a token: send it as `authorization: Bearer …`, our clients as HEADRACE_TOKEN"
        )
    caller = await network.verifier.verify(token, policy.audiences)
    if (why := refusal(policy, caller, network.control, network.public)) is not None:
        raise ServiceError(Reason.FORBIDDEN, why)
    return caller
