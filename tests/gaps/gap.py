"""What one gap is, for the tests that show it closed and for the page that is made from them (tools/gen_differences.py).

The page reads these calls from the source without importing it: every argument is a literal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Gap:
    """`number`: G1 … G67. `kfp`: what KFP's backend does. `here`: what Headrace does.

    `status`: closed (a test beside it shows it), open (not built yet), kept (deliberately as KFP does; `here` has the reason).
    """

    number: str
    title: str
    kfp: str
    here: str
    status: Literal["closed", "open", "kept"] = "closed"
