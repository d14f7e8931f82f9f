"""docs/guides/client.md: every snippet, one after the other in one program, on the real platform in both topologies; what follows
`# →` is compared with what the line gives.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from fixtures.platforms import Platform, platform_environment

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "client.md"
HEAD = """
def given(value, text, line):
    assert str(value) == text, f"line {line} of the guide gives {value}, not {text}"
    print("checked")
"""


def program(text: str) -> tuple[str, int]:
    """The snippets as one program, and how many values it compares. Lines keep their numbers, so that errors name them."""
    lines, inside, checks = [], False, 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside, kept = line == "```python", ""
        elif not inside:
            kept = ""
        elif found := re.match(r"^(\S.*?)  # → (.*)$", line):
            kept = f"given({found[1]}, {found[2]!r}, {number})"
            checks += 1
        else:
            kept = line
        lines.append(kept)
    return "\n".join(lines) + "\n", checks


def test_every_snippet_of_the_guide_runs(platform: Platform, tmp_path: Path) -> None:
    code, checks = program(GUIDE.read_text(encoding="utf-8"))
    assert checks >= 20
    (tmp_path / "guide.py").write_text(code.replace("/tmp/model-of-the-guide", str(tmp_path / "model")))
    (tmp_path / "checking.py").write_text(HEAD)
    start = "import builtins, checking, runpy; builtins.given = checking.given; runpy.run_path('guide.py', run_name='__main__')"
    environment = platform_environment(platform.home, "127.0.0.1:0", "127.0.0.1:0", {"HEADRACE_ENDPOINT": platform.url})
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", start],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("checked") == checks
    assert done.stderr == ""
