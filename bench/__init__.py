"""Benchmarks of Headrace beside their opponents, on this machine and in one run: `python -m bench [NAME…]`.

They print one table and keep the raw figures as JSON in bench/results/. They assert nothing and are no tests.
How each figure is measured: docs/reference/benchmarks.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # platforms are started, and specs made, as the tests do
