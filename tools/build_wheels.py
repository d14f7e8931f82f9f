"""Builds the wheels of headrace-protos and headrace into a folder, from this clone and without an index.

`python tools/build_wheels.py FOLDER`. What installs from them is tests/peers/test_wheels.py and tools/import_matrix.py.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DISTRIBUTIONS = ("protos", "sdk")


def build(folder: Path) -> list[Path]:
    """The wheels, in the order in which they need each other."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in DISTRIBUTIONS:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder.resolve())]
        subprocess.run(command, cwd=ROOT / name, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return sorted(folder.glob("*.whl"))


if __name__ == "__main__":
    for wheel in build(Path(sys.argv[1])):
        print(wheel)
