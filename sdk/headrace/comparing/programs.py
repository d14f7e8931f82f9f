"""What a Python component runs, read from the command that starts it: KFP's bootstrap and ours say the same in other words.

Called by `normal`. A command that is neither is nobody's program and is compared word by word.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from headrace.comparing.sources import read_source

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
    made: dict[str, Any] = {"function": function, **_installs(words)}
    rest = [arg for arg in args if arg not in (*_STANDARD, function)]
    if rest:
        made["args"] = rest
    source = next((word for word in reversed(words) if _defines(word, function)), None)
    return made if source is None else {**made, **read_source(source, function)}


def _function(args: Any) -> str | None:
    """The name after `--function_to_execute`."""
    if not (isinstance(args, list) and _FUNCTION in args[:-1]):
        return None
    name = args[args.index(_FUNCTION) + 1]
    return name if isinstance(name, str) else None


def _defines(word: str, function: str) -> bool:
    return re.search(rf"^(async )?def {re.escape(function)}\b", word, re.MULTILINE) is not None


def _installs(words: Sequence[str]) -> dict[str, Any]:
    """Packages, where they come from, and whether they get a virtual environment; nothing of what is not said."""
    made: dict[str, Any] = {"packages": [], "indexUrls": [], "trustedHosts": []}
    scripts = [word for word in words if "pip install" in word]
    for script in scripts:
        for install in _INSTALL.findall(script):
            _one_install(_split(install), made)
    if any("-m venv" in script for script in scripts):
        made["venv"] = True
    return {key: value for key, value in made.items() if value}


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _one_install(words: list[str], made: dict[str, Any]) -> None:
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
