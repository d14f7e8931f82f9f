"""Two pipeline packages compared by what they mean: which differences make them run otherwise.

What counts and what does not is in docs/reference/equal-by-meaning.md. Called by `headrace diff` and by the proofs that our
compiler and KFP's give the same. Pure; PyYAML is imported only where YAML is read.
"""

from __future__ import annotations

from headrace.comparing.differing import ABSENT, Difference, differences, same
from headrace.comparing.documents import as_package

__all__ = ["ABSENT", "Difference", "as_package", "differences", "same"]
