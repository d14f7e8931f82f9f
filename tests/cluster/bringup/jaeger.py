"""Jaeger, built from its Go module like the cluster's programs, as a process on the bridge. Called by test_jaeger.

Three minutes on two cores the first time, so that only the test which needs it builds it. The module's own go.sum is used,
because not every module below it is known to the checksum database; its page is not part of the module.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster.bringup.building import BuildError, go, say
from cluster.bringup.places import BIN, CACHE, GATEWAY

VERSION = "1.76.0"
MODULE = "github.com/jaegertracing/jaeger"
OTLP_PORT, QUERY_PORT, ADMIN_PORT = 14318, 16686, 14269
OTLP = f"http://{GATEWAY}:{OTLP_PORT}"
READY_WITHIN_S = 30.0


def built() -> Path:
    """The program, built if it is not there."""
    program = BIN / "jaeger"
    if program.exists():
        return program
    if shutil.which("go") is None:
        raise BuildError("Go is needed to build jaeger: install it, or set CLUSTER_CACHE to a filled cache.")
    say("building jaeger (3 minutes, once)")
    folder = CACHE / "src" / "jaeger"
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    told = json.loads(go(folder.parent, "mod", "download", "-json", f"{MODULE}@v{VERSION}"))
    shutil.copytree(told["Dir"], folder)
    subprocess.run(["chmod", "-R", "u+w", folder], check=True)
    made = BIN / ".jaeger"
    BIN.mkdir(parents=True, exist_ok=True)
    go(folder, "build", "-trimpath", "-ldflags=-s -w", "-o", str(made), "./cmd/all-in-one")
    made.rename(program)
    return program


@contextlib.contextmanager
def running(folder: Path) -> Iterator[None]:
    """Jaeger in memory while the block runs; spans go to OTLP, `trace` reads them back."""
    ports = {"http.query": QUERY_PORT, "grpc.query": 16685, "http.admin": ADMIN_PORT}
    flags = [
        "--collector.otlp.enabled=true",
        f"--collector.otlp.http.host-port={GATEWAY}:{OTLP_PORT}",
        f"--collector.otlp.grpc.host-port={GATEWAY}:14317",
        f"--query.http-server.host-port={GATEWAY}:{ports['http.query']}",
        f"--query.grpc-server.host-port={GATEWAY}:{ports['grpc.query']}",
        f"--admin.http.host-port={GATEWAY}:{ports['http.admin']}",
        f"--collector.http-server.host-port={GATEWAY}:14268",
        f"--collector.grpc-server.host-port={GATEWAY}:14250",
    ]
    with (folder / "jaeger.log").open("wb") as log:
        program = subprocess.Popen([built(), *flags], stdout=log, stderr=log, cwd=folder)
        try:
            _wait(program, folder / "jaeger.log")
            yield
        finally:
            program.terminate()
            program.wait()


def _wait(program: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and program.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{GATEWAY}:{QUERY_PORT}/api/services", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"Jaeger did not start:\n{log.read_text(errors='replace')[-2000:]}")


def trace(trace_id: str) -> list[dict[str, Any]]:
    """The spans that Jaeger has of a trace."""
    try:
        with urllib.request.urlopen(f"http://{GATEWAY}:{QUERY_PORT}/api/traces/{trace_id}", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]
    except urllib.error.HTTPError as missing:
        if missing.code != 404:
            raise
        return []
    return [span for one in found for span in one["spans"]]
