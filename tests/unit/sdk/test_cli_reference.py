"""docs/reference/cli.md against the parser: every command, action and exit code has its row, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

from headrace import cli
from headrace.cli.completing import read
from headrace.cli.parsing import parser
from headrace.cli.results import EXIT

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")


def documented() -> set[tuple[str, ...]]:
    """Commands of the first table, with their actions."""
    table = PAGE.split("| command | does |")[1].split("\n## ")[0]
    found: set[tuple[str, ...]] = set()
    for row in re.findall(r"^\| (`.*?) \|", table, re.M):
        for command in re.findall(r"`(.*?)`", row):
            verb, _, rest = command.partition(" ")
            actions = re.findall(r"\b[a-z]+\b", rest)
            found |= {(verb, action) for action in actions} or {(verb,)}
    return found


def there_are() -> set[tuple[str, ...]]:
    top = read(parser("1", cli.SERVER_VERBS))
    return {one.path for command in top.below for one in (command.below or [command])}


def test_every_command_has_its_row():
    assert documented() == there_are()


def test_every_exit_code_has_its_row():
    rows = set(re.findall(r"\d+", " ".join(re.findall(r"^\| ([\d, ]+) \|", PAGE, re.M))))
    ours = {0, cli.FAILED, cli.BAD_INPUT, cli.UNREACHABLE, cli.INTERRUPTED, *EXIT.values()}
    assert rows == {str(code) for code in ours} | {"141", "143"}
