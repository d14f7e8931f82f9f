"""The command line's grammar: argparse. Pure. Called by cli.main; the groups of commands have modules of their own."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from headrace.cli.catalog_parsing import VERBS, add_verbs
from headrace.cli.options import PIPELINE, RUN, about_run, actions, as_kfp, connection, output, python_file
from headrace.cli.retention_parsing import add_retention
from headrace.cli.run_parsing import add_resume, add_run, add_runs

SHELLS = ("bash", "zsh", "fish", "runs")  # the last: what the scripts themselves ask for
OWN_VERBS = (
    *("run", "runs", "resume", *VERBS, "cache", "retention", "trace", "nodes", "usage"),
    *("validate", "compile", "diff", "components", "completion"),
)


class _Columns(argparse.HelpFormatter):
    """Commands and what they do in two columns, however long a name is."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = 16


class _Parser(argparse.ArgumentParser):
    """What an action does not know it refuses itself, with its own usage; else the command's outermost parser would."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and self._subparsers is None:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown


def parser(
    version: str, server_verbs: Mapping[str, str], below: Mapping[str, argparse.ArgumentParser] | None = None
) -> argparse.ArgumentParser:
    """SERVER_VERBS: name → help, of the installed server commands; BELOW: the parsers of those that show theirs."""
    top = _Parser(
        prog="headrace", description="Run ML pipelines on this machine or on a platform.", formatter_class=_Columns
    )
    top.add_argument("--version", action="version", version=f"headrace {version}")
    verbs: Any = top.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    add_run(verbs)
    add_runs(verbs)
    add_resume(verbs)
    add_verbs(verbs)
    _cache(verbs)
    add_retention(verbs)
    _trace(verbs)
    connection(verbs.add_parser("nodes", help="what runs tasks: nodes, their accelerators, and what is in use"))
    _usage(verbs)
    _validate(verbs)
    _compile(verbs)
    _diff(verbs)
    _components(verbs)
    completion = verbs.add_parser("completion", help="print the script that completes commands in a shell")
    completion.add_argument("shell", metavar="SHELL", choices=SHELLS, help=f"{', '.join(SHELLS[:3])}")
    for name, text in server_verbs.items():
        parents = [below[name]] if below and name in below else []  # which have their own --help
        verbs.add_parser(name, help=text, add_help=False, parents=parents)
    return top


def _cache(verbs: Any) -> None:
    explain = actions(verbs, "cache", "say why results from before were taken, or not").add_parser(
        "explain", help="what matched, or the first thing that differed from the nearest result"
    )
    explain.add_argument("run", metavar="RUN", help=RUN)
    explain.add_argument("task", metavar="TASK", help="its path, such as train or for-loop-1[3]/train")
    connection(explain)


def _trace(verbs: Any) -> None:
    trace = verbs.add_parser(
        "trace", help="show where a run's time went: its waterfall, its critical path, its time by cause"
    )
    about_run(trace)
    trace.add_argument("--critical", action="store_true", help="the critical path alone, step by step")
    trace.add_argument(
        "--all", action="store_true", help="a row for every task that the platform tells, instead of some"
    )


def _usage(verbs: Any) -> None:
    usage = verbs.add_parser("usage", help="the accelerator time that namespaces asked for and used, by day")
    usage.add_argument("--namespace", default="", help="of this one alone (default: all)")
    usage.add_argument("--since", metavar="DAY", default="", help="from this day on, such as 2026-01-31 (UTC)")
    usage.add_argument("--until", metavar="DAY", default="", help="to this day, which is with it")
    connection(usage)


def _validate(verbs: Any) -> None:
    validate = verbs.add_parser("validate", help="check a pipeline file and print every problem with its place")
    validate.add_argument("file", metavar="FILE", help=PIPELINE)
    python_file(validate)
    connection(validate)


def _compile(verbs: Any) -> None:
    one = verbs.add_parser("compile", help="compile a Python file's pipelines to IR")
    one.add_argument("file", metavar="FILE", help="FILE.py, or FILE.py:PIPELINE")
    one.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where to write it: .yaml, .yml or .json, a folder, or - for standard output "
        "(default: beside the file, FILE.yaml, or FILE_PIPELINE.yaml of several)",
    )
    python_file(one, component=True)
    one.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 where what is there is not what would be written"
    )


def _diff(verbs: Any) -> None:
    diff = verbs.add_parser("diff", help="compare two pipelines by what they mean")
    either = "FILE.py, FILE.py:PIPELINE, a package, or on the platform PIPELINE or PIPELINE@VERSION, by name or id"
    diff.add_argument("a", metavar="A", help=either)
    diff.add_argument("b", metavar="B", help="the same")
    as_kfp(diff)
    connection(diff)


def _components(verbs: Any) -> None:
    components = verbs.add_parser("components", help="list what a file defines, with inputs and outputs")
    components.add_argument("file", metavar="FILE", help=PIPELINE)
    as_kfp(components)
    output(components)
