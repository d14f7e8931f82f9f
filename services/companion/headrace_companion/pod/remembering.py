"""What a companion needs of its staging after a restart: the content of STAGED. Pure.

User code could change it: JSON, read strictly, in which nothing leads beyond what the attempt may do anyhow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from headrace_companion.assignment import ArtifactValue, Folders
from headrace_companion.staging import Staged


@dataclass(frozen=True, slots=True)
class Remembered:
    """The end of staging: when, and what publishing has to know of it."""

    staged_at: float
    argv: tuple[str, ...]
    origins: Mapping[str, ArtifactValue] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    fetched: Mapping[str, str] = field(default_factory=dict)
    installed: tuple[str, ...] = ()  # packages that were there before the start

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode("utf-8", "surrogatepass")

    @classmethod
    def from_json(cls, text: bytes) -> Remembered:
        held: dict[str, Any] = json.loads(text)
        origins = {str(local): ArtifactValue(**one) for local, one in held.pop("origins").items()}
        made = cls(origins=origins, **held)
        if not isinstance(made.staged_at, float) or not all(isinstance(word, str) for word in made.argv):
            raise TypeError("not what a companion writes")
        return cls(
            made.staged_at, tuple(made.argv), origins, tuple(made.warnings), dict(made.fetched), tuple(made.installed)
        )

    def staged(self, folders: Folders) -> Staged:
        """As publishing takes it."""
        return Staged(folders, self.argv, {}, self.origins, self.warnings)
