"""What a Python component runs, read from the command that starts it: KFP's bootstrap and ours say the same in other words.

Called by `normal`. A command that is neither is nobody's program and is compared word by word.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Any, Final

from headrace.comparing.sources import read_source
from headrace.compiler import bootstrap

_RUNTIME: Final = re.compile(r"\b(kfp\.(dsl|components|v2\.components)\.executor_main|headrace\.runtime)\b")
_INSTALL: Final = re.compile(r"-m pip install\b([^\n&|]*)")
_OWN: Final = re.compile(r"(kfp|headrace)\b")
_OPTIONS: Final = {"--index-url": "indexUrls", "--extra-index-url": "indexUrls", "--trusted-host": "trustedHosts"}
_FUNCTION: Final = "--function_to_execute"
_STANDARD: Final = ("--executor_input", "{{$}}", _FUNCTION)


def program(command: Any, args: Any) -> dict[str, Any] | None:
    """The program of a component made from a Python function, or None where the command is something else."""
    words = [word for word in command if isinstance(word, str)] if isinstance(command, list) else []
    function = _function(args)
    if function is None or len(words) != len(command) or not any(_RUNTIME.search(word) for word in words):
        return None
    said, source = _ours(words) or _kfps(words, function)
    rest = [arg for arg in args if arg not in (*_STANDARD, function)]
    made = {"function": function, **said, **({"args": rest} if rest else {})}
    return {**made, **read_source(source, function)} if source else made


def _ours(words: list[str]) -> tuple[dict[str, Any], str] | None:
    """What a bootstrap of ours says, of whatever version, and the source."""
    if len(words) < 3 or words[:2] != ["sh", "-ec"] or "headrace.runtime" not in words[2]:
        return None
    found = bootstrap.read([*words[:2], bootstrap.SCRIPT, *words[3:]])
    if found is None:
        return None
    made = _nothing()
    _one_install([*found.options, *found.packages], made)
    return _said(made, venv=found.use_venv), found.source


def _kfps(words: list[str], function: str) -> tuple[dict[str, Any], str]:
    """What KFP's says; also of a component that lies in its image, which has no source."""
    made = _nothing()
    scripts = [word for word in words if "pip install" in word]
    for script in scripts:
        for install in _INSTALL.findall(script):
            _one_install(_split(install), made)
    source = next((word for word in reversed(words) if _defines(word, function)), "")
    return _said(made, venv=any("-m venv" in script for script in scripts)), source


def _nothing() -> dict[str, list[str]]:
    return {"packages": [], "indexUrls": [], "trustedHosts": []}


def _said(made: dict[str, list[str]], *, venv: bool) -> dict[str, Any]:
    """Packages, where they come from, and whether they get a virtual environment; nothing of what is not said."""
    said: dict[str, Any] = {key: value for key, value in made.items() if value}
    return {**said, "venv": True} if venv else said


def _function(args: Any) -> str | None:
    """The name after `--function_to_execute`."""
    if not (isinstance(args, list) and _FUNCTION in args[:-1]):
        return None
    name = args[args.index(_FUNCTION) + 1]
    return name if isinstance(name, str) else None


def _defines(word: str, function: str) -> bool:
    return re.search(rf"^(async )?def {re.escape(function)}\b", word, re.MULTILINE) is not None


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _one_install(words: list[str], made: dict[str, list[str]]) -> None:
    """Adds what one `pip install` says; what it installs of the runtime itself is the bootstrap's own affair."""
    packages = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name in _OPTIONS:
            _add(made[_OPTIONS[name]], [value] if equals else _next(rest))
        elif not word.startswith("-"):
            packages.append(word)
    if not ("--no-deps" in words and packages and _is_runtime(packages[0])):
        _add(made["packages"], packages)


def _is_runtime(package: str) -> bool:
    return _OWN.match(package) is not None or "/" in package or package.startswith("$")


def _next(words: Iterator[str]) -> list[str]:
    value = next(words, None)
    return [] if value is None else [value]


def _add(to: list[str], values: Iterable[str]) -> None:
    to.extend(value for value in values if value not in to)
