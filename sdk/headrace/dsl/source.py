"""The text of a user's function as its container will have it: no decorators, no indentation, and what it needs from outside.

Called by `decorators`. The text of strings that span lines is never touched.
"""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Final

from headrace.dsl import RUNTIME
from headrace.dsl.mistakes import Where, mistake

GIVEN: Final = frozenset(
    {*dir(builtins), *typing.__all__, *(name for names in RUNTIME.values() for name in names), "dsl", "headrace"}
)
"""Names that a component's source finds in its container: Python's, and those that the bootstrap imports for it."""


def where_defined(function: Callable[..., Any]) -> Where:
    """The line on which FUNCTION (with its decorators) begins."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return Where(code.co_filename, code.co_firstlineno) if code else Where("", 0)


def source_of(function: Callable[..., Any]) -> str:
    """The source of FUNCTION, from its `def` on."""
    try:
        lines, _ = inspect.getsourcelines(inspect.unwrap(function))
    except (OSError, TypeError):
        raise mistake(
            f"The source of {function.__name__}() cannot be read, so it cannot be sent to a container; "
            "define it in a file or a notebook's cell.",
            where_defined(function),
        ) from None
    return _without_decorators("".join(lines), function)


def _without_decorators(text: str, function: Callable[..., Any]) -> str:
    indented = text[:1] in (" ", "\t")
    try:
        tree = ast.parse(f"if True:\n{text}" if indented else text)
    except SyntaxError:
        raise mistake(
            f"The source of {function.__name__}() cannot be read by itself; write its `def` on lines of its own.",
            where_defined(function),
        ) from None
    above = 1 if indented else 0
    found = next((node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))), None)
    if found is None:
        raise mistake(f"{function.__name__} is no function written with `def`; write one.", where_defined(function))
    lines = text.splitlines(keepends=True)[found.lineno - above - 1 : (found.end_lineno or 0) - above]
    inside_strings = {
        line - found.lineno
        for node in ast.walk(found)
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno is not None
        for line in range(node.lineno + 1, node.end_lineno + 1)
        if not isinstance(node, ast.Constant) or isinstance(node.value, (str, bytes))
    }
    indent = re.match(r"[ \t]*", lines[0]).group()  # type: ignore[union-attr]  # it matches everything
    return "".join(line if at in inside_strings else line.removeprefix(indent) for at, line in enumerate(lines))


def missing_names(function: Callable[..., Any], given: frozenset[str]) -> list[str]:
    """Names that FUNCTION reads from its module or from a function around it, and that are not among GIVEN; in order of use."""
    code = inspect.unwrap(function).__code__
    own = {function.__name__, *_assigned(code)}
    used = [*code.co_freevars, *_globals_of(code)]
    # pytest, which rewrites assertions, uses names that no source can hold
    return [name for name in dict.fromkeys(used) if name not in given and name not in own and name.isidentifier()]


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _globals_of(code: types.CodeType) -> Iterator[str]:
    for each in _codes(code):
        in_class = not each.co_flags & inspect.CO_NEWLOCALS
        bound = (
            {step.argval for step in dis.get_instructions(each) if step.opname == "STORE_NAME"} if in_class else set()
        )
        for step in dis.get_instructions(each):
            if step.opname == "LOAD_GLOBAL" or (step.opname == "LOAD_NAME" and step.argval not in bound):
                name = step.argval
                if name not in (
                    "__name__",
                    "__file__",
                    "__doc__",
                    "__qualname__",
                    "__module__",
                    "__builtins__",
                    "__annotations__",
                ):
                    yield name


def _assigned(code: types.CodeType) -> set[str]:
    """Names that the function itself makes global."""
    return {
        step.argval
        for each in _codes(code)
        for step in dis.get_instructions(each)
        if step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL")
    }


def annotation_names(source: str) -> list[str]:
    """The names that the annotations and defaults of SOURCE's function read, in order."""
    function = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
    arguments = function.args
    read: list[ast.expr | None] = [
        each.annotation for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    ]
    read += [*arguments.defaults, *arguments.kw_defaults, function.returns]
    return list(
        dict.fromkeys(
            node.id for each in read if each is not None for node in ast.walk(each) if isinstance(node, ast.Name)
        )
    )
