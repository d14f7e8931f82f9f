"""Each image's pins as an index answers for them: every one has a wheel, with a hash that is listed, for both processors."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location("image_contents", ROOT / "services/image_contents.py")
image_contents = importlib.util.module_from_spec(spec)
spec.loader.exec_module(image_contents)


def pins() -> dict[str, set[str]]:
    """`name==version` to its hashes, of all images; markers leave out what Linux does not need."""
    found: dict[str, set[str]] = {}
    for service in image_contents.SERVICES:
        text = (ROOT / f"requirements/image-{service}.txt").read_text()
        for pin, marker, hashes in re.findall(
            r"^([\w.-]+==\S+)([^\\]*)\\\n((?:    --hash=\S+(?: \\)?\n)+)", text, re.M
        ):
            if "win32" not in marker:
                found[pin] = set(re.findall(r"sha256:([0-9a-f]{64})", hashes))
    return found


@pytest.mark.parametrize("machine", image_contents.MACHINES.values())
def test_every_pin_has_a_wheel_whose_hash_is_listed(machine, tmp_path):
    wanted, report = pins(), tmp_path / "report.json"
    platforms = [option for tag in image_contents.wheel_platforms(machine) for option in ("--platform", tag)]
    python = ["--python-version", "3.11", "--implementation", "cp", "--only-binary", ":all:"]
    kind = [
        "--dry-run",
        "--ignore-installed",
        "--no-deps",
        "--quiet",
        "--report",
        str(report),
        "--target",
        str(tmp_path),
    ]
    command = [sys.executable, "-m", "pip", "install", *kind, *python, *platforms, *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    chosen = {
        f"{one['metadata']['name'].lower()}": one["download_info"]["archive_info"]["hashes"]["sha256"]
        for one in json.loads(report.read_text())["install"]
    }
    listed = {pin.partition("==")[0].lower(): hashes for pin, hashes in wanted.items()}
    normal = {re.sub(r"[-_.]+", "-", name): digest for name, digest in chosen.items()}
    assert normal.keys() == listed.keys()
    assert {name: digest for name, digest in normal.items() if digest not in listed[name]} == {}
