"""The gaps that tests/gaps declare: each number once, and each closed one with a test."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent.parent
GAPS = ROOT / "tests" / "gaps"


def generator() -> ModuleType:
    """tools/ holds programs, not a package."""
    spec = importlib.util.spec_from_file_location("gen_differences", ROOT / "tools" / "gen_differences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_no_gap_is_declared_twice():
    counted = Counter(one.number for one in generator().declared())
    assert [number for number, count in counted.items() if count > 1] == []


def test_every_closed_gap_has_a_test_beside_it():
    untested = [
        one.module.name
        for one in generator().declared()
        if one.status == "closed"
        and "\ndef test_" not in one.module.read_text()
        and "\nasync def test_" not in one.module.read_text()
    ]
    assert untested == []


def test_every_gap_of_the_list_is_declared():
    numbers = {one.number for one in generator().declared()}
    assert numbers == set(range(1, 68)) - {11}  # the list has no G11
