"""All named queries of this service, read once from sql/queries/*.sql."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from headrace_servicekit.sqlfiles import Queries, load_queries

FOLDER: Final = Path(__file__).parent / "sql"
MIGRATIONS: Final = FOLDER / "migrations"
SCHEMA: Final = "platform"
SQL: Final[Queries] = load_queries(FOLDER / "queries")
