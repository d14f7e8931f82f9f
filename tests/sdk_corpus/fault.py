"""What one difference from KFP's SDK is, for the test that shows it and for the page that is made of them.

tools/gen_differences.py reads these calls from the source without importing it: every argument is a literal.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """`kfp`: what KFP's SDK does. `here`: what Headrace does. `flows`: the compiled pipelines of the corpus that show it, and
    `places`: where these differ (a pattern of the whole path). `invalid`: what KFP's SDK compiles refers to what is not there.
    `beyond`: pipelines of the corpus that KFP's SDK does not compile at all.
    """

    title: str
    kfp: str
    here: str
    flows: tuple[str, ...] = ()
    places: str = ""
    invalid: bool = False
    beyond: tuple[str, ...] = ()
