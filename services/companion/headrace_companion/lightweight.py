"""Recognising the command that KFP's SDK writes for a lightweight Python component. Pure.

Such a command installs packages with pip and then runs `kfp.dsl.executor_main` on a source text; seen as what it means,
it needs an environment and a function call, not a shell. Only the exact shapes of SDK 2.0 to 2.17 are recognised:
whatever differs in a word is not a lightweight component and runs as it stands. Called by the process executor with the
final argv.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class PipInstall:
    """One `pip install` of the bootstrap, in pip's own words."""

    requirements: tuple[str, ...]
    no_deps: bool = False
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PythonComponent:
    """A function in a source text and the packages that it needs, in the order in which pip would install them."""

    source: str
    function: str
    executor_input: str
    installs: tuple[PipInstall, ...] = field(default=())


_SHELL_SPACE: Final = re.compile(r"\s+")
_HAS_PIP: Final = (
    'if ! [ -x "$(command -v pip)" ]; then python3 -m ensurepip || python3 -m ensurepip --user || '
    "apt-get install python3-pip fi"
)
_USE_VENV: Final = (
    'export PIP_DISABLE_PIP_VERSION_CHECK=1 tmp=$(mktemp -d) python3 -m venv "$tmp/venv" --system-site-packages '
    '. "$tmp/venv/bin/activate"'
)
_VERSION_CHECK: Final = "PIP_DISABLE_PIP_VERSION_CHECK=1 "
_PIP: Final = ("python3", "-m", "pip", "install", "--quiet", "--no-warn-script-location")
_RUN_REST: Final = ' && "$0" "$@"'
_PROGRAM: Final = (
    'program_path=$(mktemp -d) printf "%s" "$0" > "$program_path/ephemeral_component.py" '
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "
    '"$program_path/ephemeral_component.py" "$@"'
)
# With a private venv the runtime is named by the venv's own interpreter in some releases; the rest is the same.
_FUNCTION_NAME: Final = re.compile(r"[^\W\d]\w*")


def recognise(argv: Sequence[str]) -> PythonComponent | None:
    """The component that a command means, or None where the command has to run literally."""
    installs: tuple[PipInstall, ...] = ()
    rest = tuple(argv)
    if rest[:2] == ("sh", "-c") and len(rest) > 3:
        found = _bootstrap(rest[2])
        if found is None:
            return None
        installs, rest = found, rest[3:]
    if len(rest) != 8 or rest[:2] != ("sh", "-ec") or _one_line(rest[2]) != _PROGRAM:
        return None
    if rest[4] != "--executor_input" or rest[6] != "--function_to_execute" or not _FUNCTION_NAME.fullmatch(rest[7]):
        return None
    return PythonComponent(source=rest[3], function=rest[7], executor_input=rest[5], installs=installs)


def _one_line(script: str) -> str:
    return _SHELL_SPACE.sub(" ", script).strip()


def _bootstrap(script: str) -> tuple[PipInstall, ...] | None:
    """The pip installs of the bootstrap script, or None where it is another script."""
    line = _one_line(script)
    if line.startswith(_HAS_PIP + " "):
        line = line[len(_HAS_PIP) + 1 :]
    if not line.startswith(_VERSION_CHECK) or not line.endswith(_RUN_REST):
        return None
    line = line[len(_VERSION_CHECK) : -len(_RUN_REST)]
    # A private venv that sees the interpreter's packages means the same as our environment.
    line = line.replace(_USE_VENV, "")
    installs: list[PipInstall] = []
    for words in _commands(line):
        install = _pip_install(words)
        if install is None:
            return None
        installs.append(install)
    return tuple(installs) or None


def _commands(line: str) -> list[list[str]]:
    """The words of commands that are joined by `&&`; whatever else a shell would interpret spoils the words."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    commands: list[list[str]] = [[]]
    try:
        for word in lexer:
            if word == "&&":
                commands.append([])
            else:
                commands[-1].append(word)
    except ValueError:  # an open quote
        return [[]]
    # use_venv sets the environment up before KFP is installed and leaves an empty place there
    return [words for words in commands if words] if all(commands) or len(commands) > 1 else [[]]


def _pip_install(words: Sequence[str]) -> PipInstall | None:
    if tuple(words[: len(_PIP)]) != _PIP:
        return None
    requirements: list[str] = []
    options: dict[str, list[str]] = {"--index-url": [], "--extra-index-url": [], "--trusted-host": []}
    no_deps = False
    rest = iter(words[len(_PIP) :])
    for word in rest:
        if word == "--no-deps":
            no_deps = True
        elif word in options:
            value = next(rest, None)
            if value is None:
                return None
            options[word].append(value)
        elif word.startswith("-") or not word.strip():
            return None
        else:
            requirements.append(word)
    if not requirements or len(options["--index-url"]) > 1:
        return None
    return PipInstall(
        requirements=tuple(requirements),
        no_deps=no_deps,
        index_url=next(iter(options["--index-url"]), ""),
        extra_index_urls=tuple(options["--extra-index-url"]),
        trusted_hosts=tuple(options["--trusted-host"]),
    )
