"""SQL in files: named queries (`sql/queries/<aggregate>.sql`) and forward-only migrations (`migrations/NNNN_name.sql`).

A query is `-- name: its_name`, a comment that says what it does, and one statement. Nothing here talks to a database.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final, LiteralString, NamedTuple

_NAME: Final = re.compile(r"^-- name: *(\S+) *$", re.MULTILINE)
_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_MIGRATION: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class SqlFileError(ValueError):
    """A file does not keep to the form; the message names the file and the place."""


class Queries(dict[str, LiteralString]):
    """The queries of a folder by name; parameters are `%(name)s`."""

    def positional(self, name: str) -> LiteralString:
        """The query with $1, $2, … in place of its named parameters: what PREPARE takes."""
        names = list(dict.fromkeys(_PARAMETER.findall(self[name])))
        return _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", self[name]).replace("%%", "%")


def load_queries(folder: Path) -> Queries:
    """Every query of the .sql files in FOLDER; raises where one has no name, no sentence, or a name that is taken."""
    queries = Queries()
    for path in sorted(folder.glob("*.sql")):
        parts = _NAME.split(path.read_text(encoding="utf-8"))
        if any(line.strip() and not line.startswith("--") for line in parts[0].splitlines()):
            raise SqlFileError(f"{path}: text before the first `-- name:`")
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            lines = body.strip().splitlines()
            if not lines or not lines[0].startswith("-- ") or not lines[0].strip("- "):
                raise SqlFileError(f"{path}: {name}: a comment that says what it does must follow the name")
            statement = "\n".join(line for line in lines if not line.startswith("--")).strip().removesuffix(";")
            if not statement or name in queries:
                raise SqlFileError(f"{path}: {name}: {'the name is taken' if statement else 'there is no statement'}")
            queries[name] = statement
    return queries


class Migration(NamedTuple):  # one file; DIGEST tells whether it was changed after it had been applied
    version: int
    name: str
    statements: LiteralString
    digest: str


def load_migrations(folder: Path) -> list[Migration]:
    """The migrations of FOLDER in order; raises where a number is missing, taken twice, or a name is malformed."""
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        if (match := _MIGRATION.fullmatch(path.name)) is None or int(match[1]) != len(found) + 1:
            raise SqlFileError(f"{path}: expected a name like {len(found) + 1:04d}_what_it_does.sql")
        text = path.read_text(encoding="utf-8")
        found.append(Migration(len(found) + 1, path.stem, text, hashlib.sha256(text.encode()).hexdigest()))
    return found
