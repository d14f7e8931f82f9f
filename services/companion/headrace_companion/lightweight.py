"""Recognising the command that an SDK, KFP's or ours, writes for a lightweight Python component. Pure.

Such a command installs packages with pip and then runs a runtime on a source text; seen as what it means, it needs an
environment and a function call, not a shell. Only the exact shapes of KFP's SDK 2.0 to 2.17 and our own script are
recognised: whatever differs in a word is not a lightweight component and runs as it stands. Called by the process
executor with the final argv, and by staging.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from headrace_companion.bootstrap import BOOTSTRAP


@dataclass(frozen=True, slots=True)
class PipInstall:
    """One `pip install` of the bootstrap, in pip's own words."""

    requirements: tuple[str, ...]
    no_deps: bool = False
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OurRuntime:
    """`headrace.runtime`: the version that the component needs ("": the one that it installs), the requirement that brings
    it ("": it must be there), and whether `import kfp` is answered by it.
    """

    version: str
    requirement: str = ""
    as_kfp: bool = False


@dataclass(frozen=True, slots=True)
class PythonComponent:
    """A function in a source text and the packages that it needs, in the order in which pip would install them."""

    source: str
    function: str
    executor_input: str
    installs: tuple[PipInstall, ...] = field(default=())
    runtime: OurRuntime | None = None  # None: KFP's


END: Final = "--"
EXECUTOR_INPUT_OPTION: Final = "--executor_input"
_FLAGS: Final = frozenset({"--venv", "--as-kfp"})
_VALUES: Final = ("--index-url", "--extra-index-url", "--trusted-host", "--package", "--version", "--runtime")
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
RUN_REST: Final = ' && "$0" "$@"'
_PROGRAM: Final = (
    'program_path=$(mktemp -d) printf "%s" "$0" > "$program_path/ephemeral_component.py" '
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "
    '"$program_path/ephemeral_component.py" "$@"'
)
# With a private venv the runtime is named by the venv's own interpreter in some releases; the rest is the same.
_FUNCTION_NAME: Final = re.compile(r"[^\W\d]\w*")


def recognise(argv: Sequence[str]) -> PythonComponent | None:
    """The component that a command means, or None where the command has to run literally."""
    if tuple(argv[:3]) == ("sh", "-ec", BOOTSTRAP):
        return _ours(argv[3:])
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


def runs_our_runtime(argv: Sequence[str]) -> bool:
    """Whether a command ends in our runtime, which takes its input by file too: our script's, or one that names it."""
    if EXECUTOR_INPUT_OPTION not in argv[:-1]:
        return False
    named = any(pair == ("-m", "headrace.runtime") for pair in pairwise(argv))
    return named or tuple(argv[:3]) == ("sh", "-ec", BOOTSTRAP)


def _ours(words: Sequence[str]) -> PythonComponent | None:
    """What follows our script: the source, settings up to END, the runtime's arguments."""
    if (
        END not in words[1:-4]
        or not words[0]
        or words[-4] != EXECUTOR_INPUT_OPTION
        or words[-2] != "--function_to_execute"
    ):
        return None
    if words[-5] != END or not _FUNCTION_NAME.fullmatch(words[-1]):
        return None
    given: dict[str, list[str]] = {name: [] for name in _VALUES}
    flags: set[str] = set()
    rest = iter(words[1:-5])
    for word in rest:
        if word in _FLAGS:
            flags.add(word)
            continue
        value = next(rest, None)
        if value is None or word not in given:
            return None
        given[word].append(value)
    packages = tuple(given["--package"])
    if any(one.startswith("-") or not one.strip() for one in packages) or len(given["--index-url"]) > 1:
        return None
    indexes = PipInstall(
        (), False, "".join(given["--index-url"]), tuple(given["--extra-index-url"]), tuple(given["--trusted-host"])
    )
    runtime = OurRuntime("".join(given["--version"]), "".join(given["--runtime"]), "--as-kfp" in flags)
    installs = [replace(indexes, requirements=packages)] if packages else []
    if not runtime.version:
        installs.append(replace(indexes, requirements=(runtime.requirement,), no_deps=True))
    return PythonComponent(words[0], words[-1], words[-3], tuple(installs), runtime)


def _one_line(script: str) -> str:
    return _SHELL_SPACE.sub(" ", script).strip()


def _bootstrap(script: str) -> tuple[PipInstall, ...] | None:
    """The pip installs of the bootstrap script, or None where it is another script."""
    line = _one_line(script)
    if line.startswith(_HAS_PIP + " "):
        line = line[len(_HAS_PIP) + 1 :]
    if not line.startswith(_VERSION_CHECK) or not line.endswith(RUN_REST):
        return None
    line = line[len(_VERSION_CHECK) : -len(RUN_REST)]
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
