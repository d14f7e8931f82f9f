"""The command line as data, for the scripts that complete it in shells: read from argparse. Pure. Called by completion.py."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

# What a value is, by the name that the help gives it; other values are not completed.
KINDS: Final = {"FILE": "files", "A": "files", "B": "files", "RUN": "runs", "FOLDER": "folders"}
HIDDEN: Final = ("runs",)  # what `headrace completion` answers to the scripts themselves


@dataclass(frozen=True, slots=True)
class Value:
    """What can stand somewhere: `words`, or a `kind` (files, folders, runs), or neither."""

    kind: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """`flags` such as `-o` and `--output`; `value` None where it takes none."""

    flags: tuple[str, ...]
    help: str
    value: Value | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """One command with what can follow it; `path` is what leads there (`runs`, `logs`)."""

    path: tuple[str, ...]
    help: str
    options: list[Option] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    below: list[Command] = field(default_factory=list)

    def all(self) -> Iterator[Command]:
        """This one and all below it."""
        yield self
        for one in self.below:
            yield from one.all()


def read(parser: argparse.ArgumentParser, path: tuple[str, ...] = (), text: str = "") -> Command:
    """PARSER as data."""
    command = Command(path, text)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {one.dest: one.help or "" for one in action._choices_actions}
            for name, below in action.choices.items():
                command.below.append(read(below, (*path, name), helps.get(name, "")))
        elif action.option_strings:
            value = None if action.nargs == 0 else _value(action)
            command.options.append(Option(tuple(action.option_strings), action.help or "", value))
        else:
            command.values.append(_value(action))
    return command


def _value(action: argparse.Action) -> Value:
    if action.choices:
        return Value(words=tuple(str(one) for one in action.choices if one not in HIDDEN))
    name = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    return Value(kind=KINDS.get(name, ""))
