"""Loads every tests/fixtures/fix_*.py as a pytest plugin; a new fixture file needs no entry anywhere."""

from __future__ import annotations

from pathlib import Path

pytest_plugins = sorted(f"fixtures.{path.stem}" for path in (Path(__file__).parent / "fixtures").glob("fix_*.py"))
