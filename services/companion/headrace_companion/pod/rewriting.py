"""A recognised component's command as a Pod can start it: what is larger than an argument may be goes by file. Pure.

The shell and Python of the image run what the SDK wrote, word for word but for these places. Files are named here and
written by staging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from headrace_companion.lightweight import EXECUTOR_INPUT_OPTION, PythonComponent, recognise
from headrace_ir.values import INLINE_BYTES

READER: Final = "by_file.py"
INPUT: Final = "executor_input.json"
SOURCE: Final = "component.py"
# Calls a module with what lies in a file as its ExecutorInput: KFP's runtime takes it as an argument alone.
READING: Final = f"""import runpy
import sys

module, given = sys.argv[1], sys.argv[2:]
at = given.index("{EXECUTOR_INPUT_OPTION}") + 1
if given[at].startswith("@"):
    with open(given[at][1:], encoding="utf-8", errors="surrogatepass") as file:
        given[at] = file.read()
sys.argv = [module, *given]
sys.path[0] = ""
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The command, and the texts of the files that it names."""

    argv: tuple[str, ...]
    files: Mapping[Path, str] = field(default_factory=dict)


def by_file(original: tuple[str, ...], argv: tuple[str, ...], folder: Path) -> Rewritten:
    """ARGV, which is the original with another script, with a large source and a large ExecutorInput in files."""
    component = recognise(original)
    if component is None:
        return Rewritten(argv)
    if component.runtime is not None:
        return _ours(argv, component, folder)
    return _kfp(argv, component, folder)


def is_long(text: str) -> bool:
    """Whether a text travels by file."""
    return len(text) > INLINE_BYTES or len(text.encode("utf-8", "surrogatepass")) > INLINE_BYTES


def _ours(argv: tuple[str, ...], component: PythonComponent, folder: Path) -> Rewritten:
    """`sh -ec SCRIPT SOURCE …`; staging has put a large ExecutorInput into a file already, which our runtime takes."""
    if not is_long(component.source):
        return Rewritten(argv)
    path = folder / SOURCE
    return Rewritten((*argv[:3], "", *argv[4:], "--component_module_path", str(path)), {path: component.source})


def _kfp(argv: tuple[str, ...], component: PythonComponent, folder: Path) -> Rewritten:
    """`… sh -ec PROGRAM SOURCE --executor_input INPUT --function_to_execute NAME`."""
    *before, program, source, option, given, function, name = argv
    files: dict[Path, str] = {}
    if is_long(source):
        files[folder / SOURCE] = source
        program = program.replace('printf "%s" "$0" >', 'cat "$0" >')
        source = str(folder / SOURCE)
    if is_long(given):
        files[folder / INPUT] = given
        files[folder / READER] = READING
        program = program.replace(
            "python3 -m kfp.dsl.executor_main", f"python3 {folder / READER} kfp.dsl.executor_main"
        )
        given = f"@{folder / INPUT}"
    return Rewritten((*before, program, source, option, given, function, name), files)
