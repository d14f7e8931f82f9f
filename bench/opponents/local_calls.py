"""Calling a component and a chain of tasks like functions: `local_calls.py WHICH TASKS TIMES` prints the seconds of calls.

WHICH: `headrace`; `kfp`: KFP's subprocess runner in its own environment, the fastest that it has; `kfp-venv`: the same as it is
without settings, an environment for each task, of which only one chain is called. The first call, which starts what is needed, is
told by itself.
"""

import json
import sys
import tempfile
import time

if sys.argv[1].startswith("kfp"):
    from kfp import dsl, local
else:
    from headrace import dsl, local


@dsl.component(base_image="python:3.11")
def follow(number: int) -> int:
    return number + 1


def chain(tasks: int):
    @dsl.pipeline(name=f"chain-{tasks}")
    def pipeline(number: int = 0) -> int:
        for _ in range(tasks):
            number = follow(number=number).output
        return number

    return pipeline


def seconds(call) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def main(which: str, tasks: int, times: int) -> None:
    if which.startswith("kfp"):
        local.init(runner=local.SubprocessRunner(use_venv=which == "kfp-venv"), pipeline_root=tempfile.mkdtemp())
    else:
        local.init()
    pipeline = chain(tasks)

    def whole() -> None:
        assert pipeline(number=0).output == tasks

    def one() -> None:
        assert follow(number=1).output == 2

    if which == "kfp-venv":
        print(json.dumps({"chain": [seconds(whole)]}))
        return
    first = seconds(one)
    told = {
        "first": first,
        "one": [seconds(one) for _ in range(times)],
        "chain": [seconds(whole) for _ in range(times)],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
