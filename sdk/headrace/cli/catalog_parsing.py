"""The grammar of `headrace experiments`, `pipelines` and `artifacts`. Pure. Called by parsing."""

from __future__ import annotations

import argparse
from typing import Any, Final

from headrace.cli.arguments import hops, limit
from headrace.cli.options import PIPELINE, RUN, actions, connection, python_file
from headrace.cli.retention_parsing import add_erasing

VERBS: Final = ("experiments", "pipelines", "artifacts")


def add_verbs(verbs: Any) -> None:
    """All of these."""
    _experiments(verbs)
    _pipelines(verbs)
    _artifacts(verbs)


def _list(group: Any, text: str) -> argparse.ArgumentParser:
    one: argparse.ArgumentParser = group.add_parser("list", help=text)
    one.add_argument("--limit", type=limit, default=20, help="how many (default 20; 0 = all)")
    return one


def _experiments(verbs: Any) -> None:
    group = actions(verbs, "experiments", "list, show and change experiments, which are groups of runs")
    create = group.add_parser("create", help="a new one")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--description", default="")
    connection(create)
    listing = _list(group, "the newest experiments")
    _archived(listing)
    connection(listing)
    for name, text in (
        ("get", "an experiment with its newest runs"),
        ("archive", "hide it and all its runs, which go on"),
        ("unarchive", "bring it back; its runs stay archived"),
        ("delete", "delete it; its runs stay"),
    ):
        one = group.add_parser(name, help=text)
        one.add_argument("experiment", metavar="EXPERIMENT", help="its name or id")
        connection(one)


def _pipelines(verbs: Any) -> None:
    group = actions(verbs, "pipelines", "upload, list, show and delete stored pipelines")
    upload = group.add_parser("upload", help="store a pipeline, or one more version of one")
    upload.add_argument("file", metavar="FILE", help=PIPELINE)
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
    connection(_list(group, "the newest pipelines"))
    get = group.add_parser("get", help="a pipeline with its versions")
    get.add_argument("stored", metavar="PIPELINE", help="its name or id")
    connection(get)
    delete = group.add_parser("delete", help="delete a pipeline without versions, or one of its versions")
    delete.add_argument("stored", metavar="PIPELINE", help="its name or id")
    which = delete.add_mutually_exclusive_group()
    which.add_argument("--version", metavar="VERSION", default="", help="only this version: its name or id")
    which.add_argument("--all-versions", action="store_true", help="with all its versions")
    connection(delete)


def _artifacts(verbs: Any) -> None:
    group = actions(
        verbs, "artifacts", "find, show, compare and download what tasks put out, and say where it comes from"
    )
    _finding(group)
    for name, text in (
        ("get", "show one: where it is, who reads and writes it; or download it"),
        ("download", "download one"),
        ("lineage", "what one was made of and what was made of it, across runs: data, code, images, parameters"),
    ):
        _one_artifact(group, name, text)
    diff = group.add_parser("diff", help="in what two differ: themselves, and what they were made of; 1 where they do")
    diff.add_argument("first", metavar="A", help="an artifact's id, number, digest or URI")
    diff.add_argument("second", metavar="B", help="the same")
    connection(diff)
    add_erasing(group)


def _finding(group: Any) -> None:
    listing = _list(group, "all of a run; or of all runs the newest, those alone that all of this is true of")
    listing.add_argument("run", metavar="RUN", nargs="?", default="", help=RUN)
    listing.add_argument("--uri", default="", help="that lie exactly there")
    listing.add_argument("--type", default="", help="such as system.Model")
    listing.add_argument("--digest", default="", help="of this content: sha256:…")
    listing.add_argument("--pipeline", metavar="NAME", default="", help="that runs of this pipeline read or write")
    listing.add_argument(
        "--metadata",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="with this in its metadata; can be repeated",
    )
    connection(listing)


def _one_artifact(group: Any, name: str, text: str) -> None:
    one = group.add_parser(name, help=text)
    one.add_argument(
        "run",
        metavar="ARTIFACT",
        help="its id, number, digest or URI (the newest of several); or a RUN, and then TASK/NAME",
    )
    one.add_argument(
        "artifact",
        metavar="TASK/NAME",
        nargs="?",
        default="",
        help="as the run's list shows it, such as train/model",
    )
    if name == "lineage":
        ways = one.add_mutually_exclusive_group()
        ways.add_argument("--up", action="store_true", help="what it was made of alone")
        ways.add_argument("--down", action="store_true", help="what was made of it alone")
        one.add_argument("--hops", type=hops, default=0, help="how many tasks away (default 5)")
    else:
        one.add_argument("--to", metavar="PATH", default="", help="the file or folder to make; - for standard output")
    connection(one)


def _archived(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--archived", action=argparse.BooleanOptionalAction, help="those alone that are archived, or are not"
    )
