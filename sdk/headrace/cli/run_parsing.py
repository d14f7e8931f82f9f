"""The grammar of `headrace run`, `resume` and `runs`. Pure. Called by parsing."""

from __future__ import annotations

import argparse
from typing import Any

from headrace.cli.arguments import age, limit, sequence
from headrace.cli.options import ENDPOINT, PIPELINE, RUN, about_run, actions, connection, python_file
from headrace.models import RUN_STATES


def add_run(verbs: Any) -> None:
    run = verbs.add_parser("run", help="run a pipeline and wait for its end")
    run.add_argument("file", metavar="FILE", help=PIPELINE)
    run.add_argument(
        "--refresh",
        metavar="TASK",
        action="append",
        default=[],
        help="run this task (or all that is in this group) whatever the cache has, and keep what comes out; can be repeated",
    )
    run.add_argument(
        "--cache-max-age",
        metavar="AGE",
        type=age,
        default=0.0,
        help="take results from before that are at most so old, such as 12h or 7d, where a task says nothing itself",
    )
    _new_run(run)


def add_resume(verbs: Any) -> None:
    resume = verbs.add_parser("resume", help="start a run that goes on from one that has ended")
    resume.add_argument(
        "run", metavar="RUN", help="the run that has ended: its id, a unique beginning of it, or `latest`"
    )
    resume.add_argument(
        "file", metavar="FILE", nargs="?", help=f"the pipeline as it is now (default: as it was): {PIPELINE}"
    )
    resume.add_argument(
        "--from",
        dest="from_tasks",
        metavar="PATH",
        action="append",
        default=[],
        help="run this task again and all that follows it, such as train, for-loop-1[3]/train or for-loop-1; "
        "can be repeated (default: from what did not succeed)",
    )
    _new_run(resume)


def _new_run(run: Any) -> None:
    python_file(run)
    _inputs(run)
    run.add_argument("--no-wait", action="store_true", help="submit and leave (needs a platform that is up)")
    caching = run.add_mutually_exclusive_group()
    caching.add_argument(
        "--no-cache",
        dest="cache",
        action="store_const",
        const=False,
        help="run every task, in groups too, whatever the cache has",
    )
    caching.add_argument(
        "--cache",
        dest="cache",
        action="store_const",
        const=True,
        help="look every task up in the cache, also those whose caching is off",
    )
    run.add_argument("--name", default="", help="the run's display name")
    run.add_argument(
        "--experiment",
        default="",
        help="the experiment that the run belongs to: its name, made where there is none, or id",
    )
    connection(run)


def _inputs(run: Any) -> None:
    run.add_argument(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter, parsed by its declared type; NAME:=JSON for a typed value; can be repeated",
    )
    run.add_argument(
        "-a",
        "--artifact",
        metavar="NAME=URI",
        action="append",
        default=[],
        help="a root artifact: URI or local path; can be repeated",
    )


def add_runs(verbs: Any) -> None:
    """list, get, logs, watch, usage, compare, terminate, and what needs no options."""
    runs = actions(verbs, "runs", "list, show and steer runs")
    _list(runs)
    about_run(runs.add_parser("get", help="a run with its tasks"))
    _logs(runs)
    _watch(runs)
    about_run(runs.add_parser("usage", help="the accelerator time that a run's tasks asked for and used"))
    _compare(runs)
    terminate = runs.add_parser("terminate", help="end a run")
    terminate.add_argument(
        "--run-exit-tasks",
        action="store_true",
        help="let exit tasks of what is going on run first; without it a second time, they are ended too",
    )
    about_run(terminate)
    delete = runs.add_parser("delete", help="delete a run; what it put out stays, see `headrace retention`")
    delete.add_argument("--force", action="store_true", help="also one that goes on, which is ended, or that is pinned")
    about_run(delete)
    for name, text in (
        ("retry", "run again what failed"),
        ("archive", "take a run out of lists that hide archived ones"),
        ("unarchive", "bring it back"),
        ("pin", "keep a run whatever the retention policies say"),
        ("unpin", "let them take it"),
    ):
        about_run(runs.add_parser(name, help=text))


def _list(runs: Any) -> None:
    listing = runs.add_parser("list", help="the newest runs")
    listing.add_argument("--limit", type=limit, default=20, help="how many (default 20; 0 = all)")
    listing.add_argument("--experiment", default="", help="those of this one alone: its name or id")
    listing.add_argument("--state", default="", type=str.upper, choices=RUN_STATES, help="those in this state alone")
    listing.add_argument(
        "--archived", action=argparse.BooleanOptionalAction, help="those alone that are archived, or are not"
    )
    connection(listing)


def _logs(runs: Any) -> None:
    logs = runs.add_parser("logs", help="the logs of a run's tasks (of very many: 100, those that failed first)")
    logs.add_argument("run", metavar="RUN", help=RUN)
    logs.add_argument("--task", metavar="PATH", help="one task's alone, such as for-loop-1[0]/train")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the run has ended")
    logs.add_argument("--endpoint", metavar="URL", help=ENDPOINT)


def _compare(runs: Any) -> None:
    compare = runs.add_parser("compare", help="runs side by side by the numbers in their artifacts' metadata")
    compare.add_argument("runs", metavar="RUN", nargs="*", help="runs (default: the newest that all else is true of)")
    compare.add_argument("--pipeline", metavar="NAME", default="", help="of this one alone")
    compare.add_argument("--experiment", default="", help="of this one alone: its name or id")
    compare.add_argument("--metric", metavar="NAME", action="append", default=[], help="this alone; can be repeated")
    compare.add_argument("--sort", metavar="METRIC", default="", help="those where it is the largest")
    compare.add_argument("--ascending", action="store_true", help="with --sort: the smallest")
    compare.add_argument("--limit", type=limit, default=20, help="how many (default 20; 0 = 1000)")
    connection(compare)


def _watch(runs: Any) -> None:
    watch = runs.add_parser("watch", help="show a run going on, or print its events or those of all runs")
    watch.add_argument("run", metavar="RUN", nargs="?", default="", help="a run; without one the events of all runs")
    watch.add_argument("--json", action="store_true", help="print each event as one line of JSON")
    watch.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="how events are printed; json is --json"
    )
    watch.add_argument(
        "--kind", metavar="KIND", action="append", default=[], help="only such events: task_finished; may be repeated"
    )
    begin = watch.add_mutually_exclusive_group()
    begin.add_argument("--after", metavar="N", type=sequence, default=0, help="only events after this sequence number")
    begin.add_argument("--now", action="store_true", help="only events from now on")
    watch.add_argument("--no-follow", action="store_true", help="print what has happened, and leave")
    watch.add_argument("--endpoint", metavar="URL", help=ENDPOINT)
