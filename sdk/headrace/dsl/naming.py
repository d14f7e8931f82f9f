"""Names of components and pipelines, from the names of their functions. Pure. As KFP's, so that caches survive a move."""

from __future__ import annotations

import re


def component_name(function: str) -> str:
    """FUNCTION in lower case letters, digits and single dashes: `Print_Op` → `print-op`."""
    return re.sub("-+", "-", re.sub("[^-0-9a-z]+", "-", function.lower())).strip("-")
