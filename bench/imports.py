"""What importing costs, in a fresh interpreter each time: the SDK, what a component's module begins with, and all that a
pipeline file uses; with our SDK and with KFP's. Bytecode is there, as after any first import.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.driving import BenchmarkError
from bench.measuring import Row, p50, row
from bench.rivals import PROGRAMS, environment_of
from fixtures.fix_kfp_peer import peer_environment

PROGRAM = "importing.py"
TIMES, THEIR_TIMES = 15, 3
USED = "dsl.component, dsl.pipeline, dsl.ParallelFor, dsl.If, dsl.Output, dsl.Dataset"
CASES = (  # what, ours, theirs, the runtime's variable for a component, at most ms
    ("import the SDK", "import headrace", "import kfp", "", 100.0),
    ("imports of a component's module", "import headrace\nfrom headrace import dsl\nfrom headrace.dsl import *",
     "import kfp\nfrom kfp import dsl\nfrom kfp.dsl import *", "_RUNTIME", 50.0),
    ("imports of a pipeline file, with the compiler", f"from headrace import compiler, dsl\n{USED}\ncompiler.Compiler",
     f"from kfp import compiler, dsl\n{USED}\ncompiler.Compiler", "", 250.0),
)  # fmt: skip


def measure(folder: Path) -> Iterator[Row]:
    for what, ours, theirs, variable, aim in CASES:
        kfp = [_ms(str(environment_of("kfp")), theirs, f"_KFP{variable}") for _ in range(THEIR_TIMES)]
        taken = [_ms(sys.executable, ours, f"_HEADRACE{variable}") for _ in range(TIMES)]
        yield row(what, "ms", taken, aim, opponents={"kfp": p50(kfp)})


def _ms(python: str, statement: str, variable: str) -> float:
    env = peer_environment(PATH=os.environ["PATH"])
    if variable.endswith("_RUNTIME"):
        env[variable] = "true"
    command = [python, str(PROGRAMS / PROGRAM), statement]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60, cwd="/")
    if done.returncode:
        raise BenchmarkError(f"{statement!r} failed: {done.stderr.strip().splitlines()[-1:]}")
    return float(done.stdout.strip().splitlines()[-1])
