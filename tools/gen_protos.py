"""Generates the Python code beside every .proto under protos/headrace_protos (by `make generate`, `make verify`).

Runs in an environment of its own with the oldest generator we support (requirements/generate.txt), so that the result
works on every protobuf that users have. `--check` generates into a temporary folder and fails when the committed
files differ.
"""

from __future__ import annotations

import filecmp
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "protos"
GENERATED = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")


def protos() -> list[str]:
    """Every .proto of ours, relative to protos/ (that is also its import path)."""
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.proto"))


def generate(out: Path) -> None:
    """Write messages, type stubs and gRPC stubs for every proto below out."""
    files = protos()
    with_services = [name for name in files if "\nservice " in (ROOT / name).read_text()]
    includes = [f"-I{ROOT}", f"-I{resources.files('grpc_tools') / '_proto'}", *google_includes()]
    base = [sys.executable, "-m", "grpc_tools.protoc", *includes]
    subprocess.run([*base, f"--python_out={out}", f"--mypy_out=quiet:{out}", *files], check=True)
    if with_services:
        subprocess.run([*base, f"--grpc_python_out={out}", *with_services], check=True)


def google_includes() -> list[str]:
    """Where google/api and google/rpc lie: the googleapis-common-protos wheel."""
    import google.api

    return [f"-I{Path(path).parent.parent}" for path in google.api.__path__]


def main() -> int:
    """Generate in place, or compare with what is committed."""
    if "--check" not in sys.argv:
        generate(ROOT)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        names = {str(p.relative_to(fresh)) for p in fresh.rglob("*") if p.is_file()}
        kept = {str(p.relative_to(ROOT)) for end in GENERATED for p in ROOT.rglob(f"*{end}")}
        changed = {name for name in names & kept if not filecmp.cmp(fresh / name, ROOT / name, shallow=False)}
        stale = sorted((names ^ kept) | changed)
    for name in stale:
        print(f"protos/{name} is not what its .proto generates: run `make generate` and commit the result")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
