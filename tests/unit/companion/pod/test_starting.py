"""The companion's first moment: what is imported before it hears that it is to end."""

from __future__ import annotations

import os
import subprocess
import sys

# As in an image, where no site's own settings import anything.
ENVIRON = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}


def test_nothing_slow_is_imported_before_there_is_a_handler_of_signals() -> None:
    code = "import sys, headrace_companion.pod.__main__; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "headrace_companion.pod.__main__" in said
    assert [name for name in said if name in ("grpc", "headrace_protos", "headrace_servicekit", "logging")] == []


def loaded(modules: str) -> set[str]:
    code = f"import sys, {modules}; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-SP", "-c", code], env=ENVIRON, capture_output=True, text=True, check=True
    ).stdout
    return set(said.split())


def test_user_code_waits_for_no_library_that_its_start_does_not_need() -> None:
    late = {
        "asyncio",
        "grpc",
        "headrace_companion.pod.finishing",
        "minio",
        "ssl",
        "subprocess",
        "tarfile",
        "urllib3",
        "uuid",
    }
    assert loaded("headrace_companion.pod.living") & late == set()


def test_no_companion_loads_the_usual_library_for_grpc() -> None:
    everything = "headrace_companion.pod.living, headrace_companion.pod.finishing, headrace_companion.pod.storing"
    assert loaded(f"{everything}, headrace_companion.pod.packages") & {"grpc", "minio"} == set()
