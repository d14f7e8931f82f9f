"""`dsl.run_notebook`: executes the notebook that a notebook component brings along. Runtime-safe: the standard library alone.

The module that the component's command writes carries the notebook and a `run_notebook` of its own, which takes this one's place.
"""

from __future__ import annotations

from typing import Any


def run_notebook(**kwargs: Any) -> None:
    """Executes the component's notebook with KWARGS in place of its parameters' cell."""
    raise NotImplementedError(
        "dsl.run_notebook() works only while a @dsl.notebook_component runs; call it in that component's function."
    )
