"""Compiles our own pipelines with the official KFP SDK: the examples, and what tests/gaps and tests/differential run.

`--check` proves that what is committed is current. Runs inside the peer environment (.venv-kfp): `make examples` and `make
gaps` write, a test in tests/peers checks. The platform never needs this.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from kfp import compiler  # type: ignore[import-not-found,unused-ignore]  # there only in the peer environment

ROOT = Path(__file__).resolve().parent.parent
TESTED = ("gaps", "differential")


def examples() -> dict[Path, Path]:
    """Source → compiled file, of the examples."""
    return {source: source.with_suffix(".yaml") for source in sorted(ROOT.glob("examples/*/pipeline.py"))}


def tested() -> dict[Path, Path]:
    """The same of what tests run."""
    sources = [source for folder in TESTED for source in sorted(ROOT.glob(f"tests/{folder}/pipelines/*.py"))]
    return {source: source.parent.parent / "compiled" / f"{source.stem}.yaml" for source in sources}


def compile_example(source: Path, target: Path) -> None:
    """Run the documented command, so that the YAML is what anybody gets by hand."""
    kfp = Path(sys.executable).parent / "kfp"
    command = [str(kfp), "dsl", "compile", "--py", source.name, "--output", str(target)]
    done = subprocess.run(command, cwd=source.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{source}: does not compile:\n{done.stdout}{done.stderr}")


def compile_tested(source: Path, target: Path) -> None:
    """In this process, because the SDK takes seconds to import: the module's function `pipeline`."""
    spec = importlib.util.spec_from_file_location(f"tested_{source.parent.parent.name}_{source.stem}", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    target.parent.mkdir(exist_ok=True)
    compiler.Compiler().compile(module.pipeline, str(target))


def stale(scratch: Path) -> list[Path]:
    """Committed files that are missing, or are not what their source compiles to, or have no source."""
    found = []
    for compiling, pairs in ((compile_example, examples()), (compile_tested, tested())):
        for number, (source, committed) in enumerate(pairs.items()):
            fresh = scratch / f"{compiling.__name__}-{number}.yaml"
            compiling(source, fresh)
            if not committed.exists() or documents(committed) != documents(fresh):
                found.append(committed)
    kept = set(tested().values())
    return found + [one for folder in TESTED for one in ROOT.glob(f"tests/{folder}/compiled/*.yaml") if one not in kept]


def documents(path: Path) -> list[object]:
    """What is compared: the documents, not the text, because the SDK writes maps in its header comment in any order."""
    return list(yaml.safe_load_all(path.read_text()))


def main() -> int:
    parser = argparse.ArgumentParser(description="compile our pipelines with the official KFP SDK")
    parser.add_argument("what", choices=("examples", "tested"), nargs="?", default="examples")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail where a file of either is not current"
    )
    given = parser.parse_args()
    if not given.check:
        pairs, compiling = (examples(), compile_example) if given.what == "examples" else (tested(), compile_tested)
        for source, target in pairs.items():
            compiling(source, target)
            print(target.relative_to(ROOT))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        wrong = stale(Path(scratch))
    for path in wrong:
        print(f"{path.relative_to(ROOT)} is not what its source compiles to: run `make examples gaps`")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
