"""Settings of persistence; `headrace_servicekit.settings.load` fills them from HEADRACE_* variables."""

from __future__ import annotations

from dataclasses import dataclass

from headrace_persistence.retention.policies import Policies, PolicyProblem, declared
from headrace_servicekit.settings import Settings, SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistenceSettings(Settings):
    """What persistence needs besides the common settings; `database_url` is needed."""

    persistence_connections: int = 6  # most connections of the pool; appends, deliveries and reads share it
    retention: str = (
        ""  # "runs=90d,1000 team-a:logs=14d team-a/training:artifacts=30d …": policies that calls do not change
    )
    retention_every: float = 3600.0  # seconds between two passes of the agent over what the policies take
    retention_rate: float = 100.0  # runs, artifacts and folders in a second at most, so that runs come first

    def policies(self) -> Policies:
        """Those that the settings declare."""
        try:
            return declared(self.retention)
        except PolicyProblem as wrong:
            raise SettingsError(f"HEADRACE_RETENTION: {wrong}") from None

    def checked(self) -> PersistenceSettings:
        """Itself; SettingsError where numbers make no sense."""
        for name, value in (("RETENTION_EVERY", self.retention_every), ("RETENTION_RATE", self.retention_rate)):
            if not 0 < value < 1e9:
                raise SettingsError(f"HEADRACE_{name} is {value:g}; expected a number above 0")
        self.policies()
        return self
