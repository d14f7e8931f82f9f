"""What `make shim` builds: static programs for both architectures, small, and one of them runs here."""

from __future__ import annotations

import platform
import struct
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MACHINES = {"amd64": 62, "arm64": 183}  # of the ELF header
LARGEST = 3 << 20


@pytest.fixture(scope="module")
def built() -> Path:
    subprocess.run(["make", "-s", "shim"], cwd=ROOT, check=True)
    return ROOT / "build" / "shim"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("architecture", MACHINES)
def test_it_is_static_small_and_of_its_architecture(built, architecture):
    program = (built / architecture / "shim").read_bytes()
    assert program[:4] == b"\x7fELF"
    assert struct.unpack_from("<H", program, 18)[0] == MACHINES[architecture]
    assert len(program) < LARGEST
    at, size, count = struct.unpack_from("<Q", program, 32)[0], *struct.unpack_from("<HH", program, 54)
    kinds = [struct.unpack_from("<I", program, at + index * size)[0] for index in range(count)]
    assert 3 not in kinds  # PT_INTERP: it would need a loader


def test_it_runs(built, tmp_path):
    here = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    subprocess.run([built / here / "shim", "install", tmp_path], check=True)
    assert (tmp_path / "bin" / "shim").stat().st_mode & 0o777 == 0o755
