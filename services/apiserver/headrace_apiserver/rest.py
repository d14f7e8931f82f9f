"""What a handler may know of a REST call beyond the request message. Made by the gateway, read by handlers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestCall:
    """Stands where gRPC gives its context. `body_keys`: the top-level names in the JSON body."""

    body_keys: frozenset[str]
