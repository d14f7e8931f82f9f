"""The simulated executor: attempts that end by themselves with made-up outputs. For benchmarks and engine tests.

A component says what its attempts do in the variable SIMULATE (JSON: `{"seconds": 0.1, "exit": 1, "outputs": {"name": value},
"fail_first": 2}`); without it every declared output parameter gets a value of its type. Passes tests/ports as the others do.
"""

from headrace_scheduler.executors.simulated.executor import SimulatedExecutor

__all__ = ["SimulatedExecutor"]
