"""What a Python component runs in its container: from the ExecutorInput to the function's call, and from there to the outputs.

`python3 -m headrace.runtime --component_module_path X --executor_input Y --function_to_execute F`, written into the IR by
`headrace.compiler.bootstrap`. The standard library alone, Python 3.9 and newer; nothing of the compiler or the client.
"""

from __future__ import annotations

from headrace import __version__


def serves(version: str) -> bool:
    """Whether this runtime can stand in for VERSION: the same major version, the same or a newer minor one."""
    return _numbers(version)[0] == _numbers(__version__)[0] and _numbers(version) <= _numbers(__version__)


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
