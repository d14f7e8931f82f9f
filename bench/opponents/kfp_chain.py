"""The KFP SDK's side of the chain: `compile N FILE` writes the spec that Headrace runs, `local N LOG` runs it with kfp.local.

Each task's first statement is reading the clock; it appends its name and both times to a file, the same for every engine.
No `from __future__ import annotations` here: the SDK reads the annotations themselves.
"""

import json
import sys
import tempfile
import time

from kfp import compiler, dsl, local


@dsl.component(base_image="python:3.11")
def note(name: str, log: str, upstream: str = "") -> str:
    import time

    entered = time.time_ns()
    with open(log, "a") as file:
        file.write(f"{name} {entered} {time.time_ns()}\n")
    return name


def chain(tasks: int):
    @dsl.pipeline(name=f"chain-{tasks}")
    def pipeline(log: str) -> None:
        before = None
        for number in range(tasks):
            given = {"upstream": before.output} if before is not None else {}
            task = note(name=f"task-{number}", log=log, **given)
            task.set_display_name(f"task-{number}").set_caching_options(False)
            before = task

    return pipeline


def run_local(tasks: int, log: str) -> dict[str, float]:
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=tempfile.mkdtemp())
    pipeline = chain(tasks)
    started = time.time()
    pipeline(log=log)
    return {"seconds": time.time() - started}


if __name__ == "__main__":
    what, count, file = sys.argv[1:]
    if what == "compile":
        compiler.Compiler().compile(chain(int(count)), file)
    else:
        print(json.dumps(run_local(int(count), file)))
