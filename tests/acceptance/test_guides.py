"""Every program in docs/guides prints what the guide says: a `python` block with a `text` block after it, on a real platform."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.platforms import Platform, faults_in_logs, platform_environment, running

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"
BLOCK = re.compile(r"^```python\n(?P<program>.*?)^```\n\n^```text\n(?P<prints>.*?)^```\n", re.MULTILINE | re.DOTALL)
PROGRAMS = [
    pytest.param(block["program"], block["prints"], id=f"{guide.stem}-{number}")
    for guide in (GUIDES / "local.md",)
    for number, block in enumerate(BLOCK.finditer(guide.read_text(encoding="utf-8")), 1)
]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    home = tmp_path_factory.mktemp("guides") / "home"
    with running("embedded", home) as started:
        yield started
    assert faults_in_logs(home) == []


def test_every_program_of_the_guide_is_run():
    text = (GUIDES / "local.md").read_text(encoding="utf-8")
    assert len(PROGRAMS) == text.count("```python\n") == 4


@pytest.mark.parametrize(("program", "prints"), PROGRAMS)
def test_it_prints_what_the_guide_says(up: Platform, tmp_path: Path, program: str, prints: str) -> None:
    file = tmp_path / "program.py"
    file.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(file)],
        env=platform_environment(up.home, "127.0.0.1:0", "127.0.0.1:0", {}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    # what runs side by side is logged in any order
    assert sorted(done.stdout.splitlines()) == sorted(prints.splitlines()), done.stderr
    assert done.stderr == ""
