"""The grammar of `headrace experiments`, `pipelines` and `artifacts`. Pure. Called by parsing."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Final

VERBS: Final = ("experiments", "pipelines", "artifacts")
Add = Callable[[argparse.ArgumentParser], None]


def add_verbs(verbs: Any, connection: Add, python_file: Add, limit: Callable[[str], int], package: str) -> None:
    """The options that these verbs share with others come from `parsing`; PACKAGE is what it says of a pipeline's file."""
    _experiments(verbs, connection, limit)
    _pipelines(verbs, connection, python_file, limit, package)
    _artifacts(verbs, connection)


def _actions(verbs: Any, name: str, text: str) -> Any:
    return verbs.add_parser(name, help=text).add_subparsers(dest="action", metavar="ACTION", required=True)


def _list(actions: Any, text: str, limit: Callable[[str], int]) -> argparse.ArgumentParser:
    one: argparse.ArgumentParser = actions.add_parser("list", help=text)
    one.add_argument("--limit", type=limit, default=20, help="how many (default 20; 0 = all)")
    return one


def _experiments(verbs: Any, connection: Add, limit: Callable[[str], int]) -> None:
    actions = _actions(verbs, "experiments", "list, show and change experiments, which are groups of runs")
    create = actions.add_parser("create", help="a new one")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--description", default="")
    connection(create)
    listing = _list(actions, "the newest experiments", limit)
    _archived(listing)
    connection(listing)
    for name, text in (
        ("get", "an experiment with its newest runs"),
        ("archive", "hide it and all its runs, which go on"),
        ("unarchive", "bring it back; its runs stay archived"),
        ("delete", "delete it; its runs stay"),
    ):
        one = actions.add_parser(name, help=text)
        one.add_argument("experiment", metavar="EXPERIMENT", help="its name or id")
        connection(one)


def _pipelines(verbs: Any, connection: Add, python_file: Add, limit: Callable[[str], int], package: str) -> None:
    actions = _actions(verbs, "pipelines", "upload, list, show and delete stored pipelines")
    upload = actions.add_parser("upload", help="store a pipeline, or one more version of one")
    upload.add_argument("file", metavar="FILE", help=package)
    python_file(upload)
    upload.add_argument(
        "--name", default="", help="of the pipeline, or with --version-of of the version (default: the file's)"
    )
    upload.add_argument(
        "--version-of", metavar="PIPELINE", default="", help="make it a version of this one: name or id"
    )
    upload.add_argument("--description", default="")
    upload.add_argument("--tag", metavar="NAME=VALUE", action="append", default=[], help="can be repeated")
    connection(upload)
    connection(_list(actions, "the newest pipelines", limit))
    get = actions.add_parser("get", help="a pipeline with its versions")
    get.add_argument("stored", metavar="PIPELINE", help="its name or id")
    connection(get)
    delete = actions.add_parser("delete", help="delete a pipeline without versions, or one of its versions")
    delete.add_argument("stored", metavar="PIPELINE", help="its name or id")
    which = delete.add_mutually_exclusive_group()
    which.add_argument("--version", metavar="VERSION", default="", help="only this version: its name or id")
    which.add_argument("--all-versions", action="store_true", help="with all its versions")
    connection(delete)


def _artifacts(verbs: Any, connection: Add) -> None:
    actions = _actions(verbs, "artifacts", "list and download what a run's tasks put out")
    listing = actions.add_parser("list", help="all of a run")
    _run(listing)
    connection(listing)
    get = actions.add_parser("get", help="download one, or show where it is")
    _run(get)
    get.add_argument("artifact", metavar="TASK/NAME", help="as the list shows it, such as train/model")
    get.add_argument("--to", metavar="PATH", default="", help="the file or folder to make; - for standard output")
    connection(get)


def _run(one: argparse.ArgumentParser) -> None:
    one.add_argument("run", metavar="RUN", help="a run's id, a unique beginning of it, or `latest`")


def _archived(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--archived", action=argparse.BooleanOptionalAction, help="those alone that are archived, or are not"
    )
