"""The whole of tests/cluster in less time: most tests wait for the cluster, so their files run side by side, in lanes.

A lane is a pytest. What shares one platform, or needs the stand-in devices for itself, is one; what disturbs the whole cluster
comes afterwards, alone. Called by `python -m cluster.bringup test` where nothing else is asked for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
ALONE = frozenset({"test_faults_cluster.py"})  # kubelets and the API server are restarted
DEVICES = frozenset({"test_cluster.py"})  # takes accelerators and adds some, which tests of a platform count
REPORT = ("--durations=25", "--durations-min=2")


def lanes(texts: Mapping[str, str]) -> tuple[list[list[str]], list[str]]:
    """Files by name → those that run side by side, lane by lane, and those that run alone."""
    others = sorted(texts.keys() - ALONE)
    platform = [name for name in others if "on_pods" in texts[name] or name in DEVICES]
    rest = [name for name in others if name not in platform]
    return [lane for lane in (platform, rest) if lane], sorted(texts.keys() & ALONE)


def run(environ: Mapping[str, str]) -> int:
    """All tests; 0 where every one has passed."""
    together, alone = lanes({path.name: path.read_text() for path in FOLDER.glob("test_*.py")})
    return max(code for one in (together, [alone]) for code in _side_by_side(one, environ))


def _side_by_side(together: Sequence[Sequence[str]], environ: Mapping[str, str]) -> list[int]:
    """Their exit codes; each lane's output is printed whole when all have ended."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder, str(number)) for number in range(len(together))]
        programs = [_begin(lane, output, environ) for lane, output in zip(together, outputs, strict=True)]
        codes = [program.wait() for program in programs]
        for output in outputs:
            print(output.read_text(), flush=True)
    return codes


def _begin(lane: Sequence[str], output: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "pytest", "-q", *REPORT, *(str(FOLDER / name) for name in lane)]
    with output.open("wb") as file:
        return subprocess.Popen(argv, cwd=ROOT, env={**os.environ, **environ}, stdout=file, stderr=subprocess.STDOUT)
