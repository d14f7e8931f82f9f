"""The module of a component and the function in it.

The function's annotations are kept as text until they are needed: what the container lacks (a class that only the author's
machine has) must not end the task before it began. Called by `command_line`.
"""

from __future__ import annotations

import ast
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any

from headrace.runtime.mistakes import TaskMistake

CONFIG_FILE = "kfp_config.ini"  # where tools that build images list their components
DSL_NAMES_ONLY = (
    "_HEADRACE_RUNTIME"  # while it is "true", `from headrace.dsl import *` gives what a function uses as it runs
)


def load(path: str, function: str, *, bare: bool) -> Any:
    """The function FUNCTION of the file PATH. `bare`: the file holds nothing but what the component's command wrote."""
    path = os.path.abspath(path)
    name = os.path.splitext(os.path.basename(path))[0]
    spec = spec_from_file_location(name, path)
    if spec is None or not os.path.isfile(path):
        raise TaskMistake(f"there is no Python file {path}, in which the component {function!r} should be")
    module = module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, os.path.dirname(path))
    if bare:
        os.environ[DSL_NAMES_ONLY] = "true"
    try:
        exec(_compiled(path, function if bare else None), module.__dict__)  # noqa: S102 - running the component is what this is for
    finally:
        if bare:
            del os.environ[DSL_NAMES_ONLY]
    return _function(module, function, path)


def _compiled(path: str, function: str | None) -> Any:
    """The code of PATH, with the annotations of FUNCTION as text."""
    with open(path, "rb") as file:
        tree = ast.parse(file.read(), path)
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) and statement.name == function:
            _keep_as_text(statement)
    return compile(tree, path, "exec", dont_inherit=True)


def _keep_as_text(function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    for argument in ast.walk(function.args):
        if isinstance(argument, ast.arg) and argument.annotation is not None:
            argument.annotation = _text(argument.annotation)
    if function.returns is not None:
        function.returns = _text(function.returns)


def _text(annotation: ast.expr) -> ast.expr:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return annotation
    return ast.copy_location(ast.Constant(ast.unparse(annotation)), annotation)


def _function(module: ModuleType, name: str, path: str) -> Any:
    found = getattr(module, name, None)
    found = getattr(found, "python_func", found)  # a module with decorators in it has a component there
    if not callable(found):
        raise TaskMistake(
            f"{path} defines no function {name!r}: build the image again, or correct the component's name"
        )
    return found


def find_module(function: str) -> str:
    """The file of a component in an image that was built with it, from the list that lies in the working folder."""
    import configparser

    listed = configparser.ConfigParser()
    listed.optionxform = lambda option: option  # type: ignore[assignment,method-assign] # names of functions keep their case
    if not listed.read(CONFIG_FILE) or not listed.has_option("Components", function):
        raise TaskMistake(
            f"the component {function!r} is not listed in {os.path.join(os.getcwd(), CONFIG_FILE)}: "
            "build the target image with the component in it, or give --component_module_path"
        )
    return listed.get("Components", function)
