"""What type checkers say of programs that use the DSL: exactly what the comments `# wrong:` in them expect, and nothing else.

- mypy alone, mypy with headrace.mypy_plugin, and pyright (as basedpyright, whose wheel brings its own Node)
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
FILES = sorted(PROGRAMS.glob("*.py"))

Said = dict[tuple[str, int], set[str]]
"""The checker's rules by file and line."""


def expected(checker: str) -> Said:
    """What the comments of the programs say of CHECKER."""
    found: Said = {}
    for file in FILES:
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            comment = line.partition("# wrong: ")[2]
            rules = re.search(rf"\b{checker}\[([^\]]+)\]", comment)
            if rules:
                found[file.name, number] = set(rules.group(1).split(","))
    return found


def run(*command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: it found mistakes
    return done.stdout


def mypy(folder: Path, *settings: str) -> Said:
    config = folder / "mypy.ini"
    config.write_text("\n".join(["[mypy]", "strict = true", "warn_unused_ignores = false", *settings, ""]))
    said: Said = defaultdict(set)
    files = [str(file) for file in FILES]
    out = run("mypy", "--config-file", str(config), "--cache-dir", str(folder / "cache"), "--no-error-summary", *files)
    for line in out.splitlines():
        found = re.fullmatch(r"(.+?):(\d+): error: .*\[([a-z-]+)\]", line)
        if found:
            said[Path(found.group(1)).name, int(found.group(2))].add(found.group(3))
        else:
            assert ": note: " in line, line
    return dict(said)


def pyright(folder: Path) -> Said:
    config = folder / "pyrightconfig.json"
    config.write_text(json.dumps({"include": [str(PROGRAMS)], "typeCheckingMode": "standard"}))
    said: Said = defaultdict(set)
    out = run("basedpyright", "--outputjson", "--project", str(config), "--pythonpath", sys.executable)
    for each in json.loads(out)["generalDiagnostics"]:
        assert each["severity"] in ("error", "warning"), each
        said[Path(each["file"]).name, each["range"]["start"]["line"] + 1].add(each["rule"])
    return dict(said)


@pytest.mark.parametrize("checker", ["mypy", "plugin", "pyright"])
def test_checkers_say_what_is_wrong_and_nothing_else(checker: str, tmp_path: Path) -> None:
    said = {
        "mypy": lambda: mypy(tmp_path),
        "plugin": lambda: mypy(tmp_path, "plugins = headrace.mypy_plugin"),
        "pyright": lambda: pyright(tmp_path),
    }[checker]()
    assert said == expected(checker)
    assert said
