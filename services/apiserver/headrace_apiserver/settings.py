"""The apiserver's settings: those that all services have; it adds none. See services/apiserver/README.md."""

from __future__ import annotations

from dataclasses import dataclass

from headrace_servicekit.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiserverSettings(Settings):
    """HTTP_ADDRESS and GRPC_ADDRESS take port 0 for a free one."""
