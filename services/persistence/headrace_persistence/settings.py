"""Settings of persistence; `headrace_servicekit.settings.load` fills them from HEADRACE_* variables."""

from __future__ import annotations

from dataclasses import dataclass

from headrace_servicekit.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistenceSettings(Settings):
    """What persistence needs besides the common settings; `database_url` is needed."""

    persistence_connections: int = 6  # most connections of the pool; appends, deliveries and reads share it
