"""A compiled pipeline: the documents of an IR package as plain JSON-like objects. Pure.

Made by the compiler and by whoever loads a package; taken by the client, `headrace.local`, the CLI and `comparing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Package:
    """`spec`: a PipelineSpec as KFP's YAML spells it (camelCase); `platform`: the PlatformSpec document, or None where there is
    nothing in it. Treat both as immutable.
    """

    spec: Mapping[str, Any]
    platform: Mapping[str, Any] | None = None
