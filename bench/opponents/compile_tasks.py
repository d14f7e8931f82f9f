"""Both sides' program: compile a pipeline of N tasks with MODULE (`kfp` or `headrace`), write it, print the seconds of each.

The component is made once; each time a new pipeline function is traced, compiled and written as YAML. The import is not
in it. No `from __future__ import annotations` here: KFP cannot read a component's types with it.
"""

import importlib
import json
import sys
import tempfile
import time
from pathlib import Path

module, count, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
dsl = importlib.import_module(f"{module}.dsl")
compiler = importlib.import_module(f"{module}.compiler")


@dsl.component(base_image="python:3.11")
def add(a: int, b: int) -> int:
    return a + b


def flow(start: int = 0) -> int:
    last = add(a=start, b=1)
    for number in range(count - 1):
        last = add(a=last.output, b=number)
    return last.output


taken = []
with tempfile.TemporaryDirectory() as folder:
    for _ in range(times):
        path = Path(folder) / "flow.yaml"
        began = time.perf_counter()
        compiler.Compiler().compile(dsl.pipeline(name="flow")(flow), str(path))
        taken.append(time.perf_counter() - began)
        if path.read_text().count("exec-add-") < count - 1:
            sys.exit("the package lacks tasks")
print(json.dumps(taken))
