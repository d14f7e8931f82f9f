"""The source that a Python component brings along, as what it does: without formatting, comments and docstrings.

Called by `programs`. The imports that every bootstrap puts first, and the lines by which it unpacks what is embedded, are left
out; what is embedded counts by its files.
"""

from __future__ import annotations

import ast
import base64
import gzip
import hashlib
import io
import tarfile
from typing import Any, Final

# What a bootstrap puts before the author's function, in either dialect.
_FIRST: Final = {
    "import kfp", "from kfp import dsl", "from kfp.dsl import *", "from kfp import components", "from typing import *",
    "import headrace", "from headrace import dsl", "from headrace.dsl import *",
}  # fmt: skip
_ARCHIVE: Final = "EMBEDDED_ARCHIVE"


def read_source(text: str, function: str) -> dict[str, Any]:
    """`source`: the statements in one form; `embedded`: digests of the files that it brings along; `notebook`: it runs one."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return {"source": text.strip()}
    statements = _without_first(tree.body)
    made: dict[str, Any] = {}
    archive = next((index for index, one in enumerate(statements) if _archive_text(one)), None)
    if archive is not None:
        end = _last_definition(statements, function)
        helper = statements[archive:end]
        made["embedded"] = _files(_archive_text(statements[archive]))
        if any(".ipynb" in ast.unparse(one) for one in helper[1:]):
            made["notebook"] = True
        statements = statements[:archive] + statements[end:]
    return {"source": "\n".join(_one_form(one) for one in statements), **made}


def _without_first(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Only the imports on top are the bootstrap's: further down they are the author's."""
    index = 0
    while index < len(statements) and ast.unparse(statements[index]) in _FIRST:
        index += 1
    return statements[index:]


def _last_definition(statements: list[ast.stmt], function: str) -> int:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [index for index, one in enumerate(statements) if isinstance(one, kinds) and one.name == function]
    return found[-1] if found else len(statements)


def _archive_text(statement: ast.stmt) -> str:
    """The base64 text of an embedded archive, where the statement assigns one."""
    if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)):
        return ""
    target, value = statement.targets[0], statement.value.value
    named = isinstance(target, ast.Name) and _ARCHIVE in target.id.upper()
    return value if named and isinstance(value, str) else ""


def _files(text: str) -> dict[str, str]:
    """Path → digest of an archive's files; its times, owners and compression are left out."""
    try:
        data = gzip.decompress(base64.b64decode(text))
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return {
                one.name.removeprefix("./"): hashlib.sha256(archive.extractfile(one).read()).hexdigest()  # type: ignore[union-attr]
                for one in archive.getmembers()
                if one.isfile()
            }
    except (ValueError, OSError, EOFError, tarfile.TarError):
        return {"(unreadable)": hashlib.sha256(text.encode()).hexdigest()}


def _one_form(statement: ast.stmt) -> str:
    for node in ast.walk(statement):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(statement)
