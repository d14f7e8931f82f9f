"""The companion's first moment: what is imported before it hears that it is to end."""

from __future__ import annotations

import subprocess
import sys


def test_nothing_slow_is_imported_before_there_is_a_handler_of_signals() -> None:
    code = "import sys, headrace_companion.pod.__main__; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "headrace_companion.pod.__main__" in said
    assert [name for name in said if name in ("grpc", "headrace_protos", "headrace_servicekit", "logging")] == []
