"""Compiles our own pipelines with the official KFP SDK: the examples, and those in tests (gaps, differential, sdk_corpus).

`--check` proves that what is committed is current. Runs inside the peer environment (.venv-kfp): `make examples` and `make
gaps` write, a test in tests/peers checks. The platform never needs this.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from kfp import compiler  # type: ignore[import-not-found,unused-ignore]  # there only in the peer environment

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "sdk"))  # for the comparison alone, which needs nothing but the standard library
from headrace.comparing import differences  # noqa: E402

TESTED = ("gaps", "differential", "sdk_corpus")
EXAMPLES = ("from-kfp", "hello")  # iris is in Headrace's own DSL


def examples() -> dict[Path, Path]:
    """Source → compiled file, of the examples that are written in KFP's DSL."""
    sources = (ROOT / "examples" / name / "pipeline.py" for name in EXAMPLES)
    return {source: source.with_suffix(".yaml") for source in sources}


def compile_example(source: Path, target: Path) -> None:
    """Run the documented command, so that the YAML is what anybody gets by hand."""
    kfp = Path(sys.executable).parent / "kfp"
    command = [str(kfp), "dsl", "compile", "--py", source.name, "--output", str(target)]
    done = subprocess.run(command, cwd=source.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{source}: does not compile:\n{done.stdout}{done.stderr}")


def compile_tested(folder: Path, target: Path) -> None:
    """All of tests/NAME/pipelines, in this process, because the SDK takes seconds to import.

    A module's `pipeline` becomes MODULE.yaml, each of its `PIPELINES` MODULE_FUNCTION.yaml; others are what these import.
    """
    target.mkdir(exist_ok=True)
    sys.path.insert(0, str(folder / "pipelines"))
    for source in sorted((folder / "pipelines").glob("*.py")):
        module = importlib.import_module(source.stem)
        if hasattr(module, "pipeline"):
            compiler.Compiler().compile(module.pipeline, str(target / f"{source.stem}.yaml"))
        for one in getattr(module, "PIPELINES", ()):
            name = f"{source.stem}_{one.pipeline_func.__name__}"
            compiler.Compiler().compile(one, str(target / f"{name}.yaml"))
    sys.path.pop(0)


def stale(scratch: Path) -> list[Path]:
    """Committed files that are missing, or are not what their source compiles to, or have no source."""
    found = []
    for number, (source, committed) in enumerate(examples().items()):
        fresh = scratch / f"{number}.yaml"
        compile_example(source, fresh)
        found += [committed] if differs(committed, fresh) else []
    for folder in TESTED:
        compile_tested(ROOT / "tests" / folder, scratch / folder)
        kept = ROOT / "tests" / folder / "compiled"
        names = {one.name for place in (kept, scratch / folder) for one in place.glob("*.yaml")}
        found += [kept / name for name in sorted(names) if differs(kept / name, scratch / folder / name)]
    return found


def differs(committed: Path, fresh: Path) -> bool:
    if not (committed.exists() and fresh.exists()):
        return True
    if "EMBEDDED_ARCHIVE" in fresh.read_text():  # the archives hold the times of their files
        return bool(differences(committed, fresh))
    return documents(committed) != documents(fresh)


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
        if given.what == "tested":
            for folder in TESTED:
                compile_tested(ROOT / "tests" / folder, ROOT / "tests" / folder / "compiled")
            return 0
        for source, target in examples().items():
            compile_example(source, target)
            print(target.relative_to(ROOT))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        wrong = stale(Path(scratch))
    for path in wrong:
        print(f"{path.relative_to(ROOT)} is not what its source compiles to: run `make examples gaps`")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
