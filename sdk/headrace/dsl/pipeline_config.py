"""`dsl.PipelineConfig`: settings of a whole pipeline. Data; the compiler writes them into the platform document."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class PipelineConfig:
    """Workspace, time to live and the rest."""
