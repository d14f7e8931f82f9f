"""What a component's annotations and defaults need of the file around it, so that its `def` can be executed in the container.

Called by `decorators`. Classes (pydantic models, NamedTuples, artifact classes of the author's own), functions, constants and
imports are taken as the file has them; what the function's body uses is not carried, but is a mistake that `source` finds.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from headrace import dsl
from headrace.dsl import RUNTIME
from headrace.dsl.mistakes import mistake
from headrace.dsl.source import annotation_names, where_defined

BINDING: Final = (
    ast.Import,
    ast.ImportFrom,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
    getattr(ast, "TypeAlias", ast.AnnAssign),
)


@dataclass(slots=True)
class Carried:
    """`imports` and `sources` as text, in the order in which they are needed; `names`: what they define."""

    imports: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def add(self, other: Carried) -> None:
        """Takes what OTHER has and this does not."""
        self.imports += [each for each in other.imports if each not in self.imports]
        self.sources += [each for each in other.sources if each not in self.sources]
        self.names |= other.names


def carried_by(function: Callable[..., Any], source: str, given: frozenset[str]) -> Carried:
    """All that SOURCE's annotations and defaults need and GIVEN does not have."""
    carried = Carried()
    for name in annotation_names(source):
        _carry(name, function, given, carried)
    return carried


def _carry(name: str, function: Callable[..., Any], given: frozenset[str], carried: Carried) -> None:
    if name in given or name in carried.names:
        return
    carried.names.add(name)
    plain = inspect.unwrap(function)
    bound = _binding(plain.__code__.co_filename, name, plain.__code__.co_firstlineno)
    if bound is None:
        carried.imports.append(_import_of(name, function))
        return
    text, needs, is_import = bound
    for each in needs:
        if each in plain.__globals__ or _binding(plain.__code__.co_filename, each, plain.__code__.co_firstlineno):
            _carry(each, function, given, carried)
    (carried.imports if is_import else carried.sources).append(text)


def _import_of(name: str, function: Callable[..., Any]) -> str:
    """Where the file does not say where NAME is from (a notebook's earlier cell): what the thing itself says."""
    thing = inspect.unwrap(function).__globals__.get(name)
    if isinstance(thing, types.ModuleType):
        return f"import {thing.__name__}" + (f" as {name}" if thing.__name__ != name else "")
    ours = next((word for words in RUNTIME.values() for word in words if getattr(dsl, word) is thing), None)
    if ours is not None:
        return f"from headrace.dsl import {ours} as {name}"
    module = getattr(thing, "__module__", None)
    if module and module != function.__module__ and getattr(thing, "__qualname__", None):
        return f"from {module} import {thing.__qualname__}" + (f" as {name}" if thing.__qualname__ != name else "")
    raise mistake(
        f"The annotations of {function.__name__}() use {name!r}, which its container cannot be given; import it from a module, "
        "or define it in the same file.",
        where_defined(function),
    )


Binding = tuple[str, tuple[str, ...], bool]


def _binding(file: str, name: str, line: int) -> Binding | None:
    """The last statement of FILE before LINE that binds NAME: its text, the names that it needs, whether it is an import."""
    return _binding_in(file, hash("".join(linecache.getlines(file))), name, line)


@lru_cache(maxsize=4096)
def _binding_in(file: str, version: int, name: str, line: int) -> Binding | None:
    """VERSION tells apart what FILE holds before and after an edit: modules are reloaded, above all in notebooks."""
    found: Binding | None = None
    lines = linecache.getlines(file)
    for node in sorted(_visible(_tree(file, version).body, line), key=lambda node: node.lineno):
        if node.lineno >= line and found is not None:
            break
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                if (alias.asname or alias.name.split(".")[0]) == name:
                    found = (ast.unparse(_only(node, alias)), (), True)
        elif name in _bound_by(node):
            text = ast.unparse(node) if node.col_offset else "".join(lines[_first_line(node) - 1 : node.end_lineno])
            found = (text.rstrip("\n"), _needs(node), False)
    return found


@lru_cache(maxsize=64)
def _tree(file: str, version: int) -> ast.Module:
    """FILE, parsed; VERSION as above."""
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:  # a notebook's cell with magics
        return ast.Module([], [])


def _visible(body: list[ast.stmt], line: int) -> Iterator[ast.stmt]:
    """What binds names that the function at LINE sees: statements of the file, of blocks in it, and of functions around LINE."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if _first_line(node) == line:
                continue  # the function itself
            yield node
            if _first_line(node) < line <= (node.end_lineno or 0):
                yield from _visible(node.body, line)
        elif isinstance(node, BINDING):
            yield node
        else:
            for block in ("body", "orelse", "finalbody", "handlers"):
                for each in getattr(node, block, []):
                    yield from _visible(each.body if isinstance(each, ast.ExceptHandler) else [each], line)


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _bound_by(node: ast.stmt) -> tuple[str, ...]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return (node.name,)
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", getattr(node, "name", None))]
    return tuple(each.id for each in targets if isinstance(each, ast.Name))


def _needs(node: ast.stmt) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
        )
    )


def _only(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    return ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], node.level)
