"""Options, values and actions that several commands have in common. Pure. Called by the modules of the grammar."""

from __future__ import annotations

import argparse
from typing import Any, Final

ENDPOINT: Final = "the platform's REST address (default: the one up on this machine)"
PIPELINE: Final = "FILE.py, FILE.py:PIPELINE, or a package: IR YAML or JSON, zip or tar.gz"
RUN: Final = "a run's id, a unique beginning of it, or `latest`"


def actions(verbs: Any, name: str, text: str) -> Any:
    """What the actions of a command are added to."""
    return verbs.add_parser(name, help=text).add_subparsers(dest="action", metavar="ACTION", required=True)


def connection(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--endpoint", metavar="URL", help=ENDPOINT)
    output(verb)


def output(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "-o", "--output", choices=("text", "json", "yaml"), default="text", help="how results are printed"
    )


def about_run(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("run", metavar="RUN", help=RUN)
    connection(verb)


def python_file(verb: argparse.ArgumentParser, *, component: bool = False) -> None:
    which = verb.add_mutually_exclusive_group()
    which.add_argument(
        "--pipeline", metavar="NAME", default="", help="which pipeline of a Python file (default: the only one)"
    )
    if component:
        which.add_argument(
            "--component", metavar="NAME", default="", help="a single component as a pipeline of one task"
        )
    as_kfp(verb)


def as_kfp(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--as-kfp", action="store_true", help="the Python file imports kfp: Headrace answers for KFP's SDK, unchanged"
    )
