"""Compiles examples/*/pipeline.py to the pipeline.yaml beside it, with the official KFP SDK.

`--check` proves that they are current. Runs inside the peer environment (.venv-kfp): `make examples` writes, a test in
tests/peers checks. The platform never needs this.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def compile_source(source: Path, target: Path) -> None:
    """Run the documented command, so that the YAML is what anybody gets by hand."""
    kfp = Path(sys.executable).parent / "kfp"
    command = [str(kfp), "dsl", "compile", "--py", source.name, "--output", str(target)]
    done = subprocess.run(command, cwd=source.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{source}: does not compile:\n{done.stdout}{done.stderr}")


def stale_examples(scratch: Path) -> list[Path]:
    stale = []
    for source in sorted(EXAMPLES.glob("*/pipeline.py")):
        fresh = scratch / f"{source.parent.name}.yaml"
        compile_source(source, fresh)
        committed = source.with_suffix(".yaml")
        if not committed.exists() or documents(committed) != documents(fresh):
            stale.append(committed)
    return stale


def documents(path: Path) -> list[object]:
    """What is compared: the documents, not the text, because the SDK writes maps in its header comment in any order."""
    return list(yaml.safe_load_all(path.read_text()))


def main() -> int:
    parser = argparse.ArgumentParser(description="compile the examples with the official KFP SDK")
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a YAML is not current")
    if not parser.parse_args().check:
        for source in sorted(EXAMPLES.glob("*/pipeline.py")):
            compile_source(source, source.with_suffix(".yaml"))
            print(source.with_suffix(".yaml").relative_to(EXAMPLES.parent))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        stale = stale_examples(Path(scratch))
    for path in stale:
        print(f"{path.relative_to(EXAMPLES.parent)} is not what its pipeline.py compiles to: run `make examples`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
