"""The command line's grammar: argparse, and the values of -p and -a. Pure. Called by cli.main."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from headrace.cli.catalog_parsing import VERBS, add_verbs
from headrace.cli.retention_parsing import add_retention
from headrace.errors import BadInput
from headrace.models import RUN_STATES

_ENDPOINT = "the platform's REST address (default: the one up on this machine)"
_PIPELINE = "FILE.py, FILE.py:PIPELINE, or a package: IR YAML or JSON, zip or tar.gz"


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
    _run(verbs)
    _runs(verbs)
    _resume(verbs)
    add_verbs(verbs, _connection, _python_file, _limit, _PIPELINE)
    _cache(verbs)
    add_retention(verbs, _connection)
    trace = verbs.add_parser(
        "trace", help="show where a run's time went: its waterfall, its critical path, its time by cause"
    )
    _about_run(trace)
    trace.add_argument("--critical", action="store_true", help="the critical path alone, step by step")
    trace.add_argument(
        "--all", action="store_true", help="a row for every task that the platform tells, instead of some"
    )
    _connection(verbs.add_parser("nodes", help="what runs tasks: nodes, their accelerators, and what is in use"))
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
    actions = verbs.add_parser("cache", help="say why results from before were taken, or not").add_subparsers(
        dest="action", metavar="ACTION", required=True
    )
    explain = actions.add_parser(
        "explain", help="what matched, or the first thing that differed from the nearest result"
    )
    explain.add_argument("run", metavar="RUN", help="a run's id, a unique beginning of it, or `latest`")
    explain.add_argument("task", metavar="TASK", help="its path, such as train or for-loop-1[3]/train")
    _connection(explain)


def _usage(verbs: Any) -> None:
    usage = verbs.add_parser("usage", help="the accelerator time that namespaces asked for and used, by day")
    usage.add_argument("--namespace", default="", help="of this one alone (default: all)")
    usage.add_argument("--since", metavar="DAY", default="", help="from this day on, such as 2026-01-31 (UTC)")
    usage.add_argument("--until", metavar="DAY", default="", help="to this day, which is with it")
    _connection(usage)


def _validate(verbs: Any) -> None:
    validate = verbs.add_parser("validate", help="check a pipeline file and print every problem with its place")
    validate.add_argument("file", metavar="FILE", help=_PIPELINE)
    _python_file(validate)
    _connection(validate)


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
    _python_file(one, component=True)
    one.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 where what is there is not what would be written"
    )


def _diff(verbs: Any) -> None:
    diff = verbs.add_parser("diff", help="compare two pipelines by what they mean")
    either = "FILE.py, FILE.py:PIPELINE, a package, or on the platform PIPELINE or PIPELINE@VERSION, by name or id"
    diff.add_argument("a", metavar="A", help=either)
    diff.add_argument("b", metavar="B", help="the same")
    _as_kfp(diff)
    _connection(diff)


def _components(verbs: Any) -> None:
    components = verbs.add_parser("components", help="list what a file defines, with inputs and outputs")
    components.add_argument("file", metavar="FILE", help=_PIPELINE)
    _as_kfp(components)
    _output(components)


def _python_file(verb: argparse.ArgumentParser, *, component: bool = False) -> None:
    which = verb.add_mutually_exclusive_group()
    which.add_argument(
        "--pipeline", metavar="NAME", default="", help="which pipeline of a Python file (default: the only one)"
    )
    if component:
        which.add_argument(
            "--component", metavar="NAME", default="", help="a single component as a pipeline of one task"
        )
    _as_kfp(verb)


def _as_kfp(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--as-kfp", action="store_true", help="the Python file imports kfp: Headrace answers for KFP's SDK, unchanged"
    )


def _run(verbs: Any) -> None:
    run = verbs.add_parser("run", help="run a pipeline and wait for its end")
    run.add_argument("file", metavar="FILE", help=_PIPELINE)
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
        type=_age,
        default=0.0,
        help="take results from before that are at most so old, such as 12h or 7d, where a task says nothing itself",
    )
    _new_run(run)


def _resume(verbs: Any) -> None:
    resume = verbs.add_parser("resume", help="start a run that goes on from one that has ended")
    resume.add_argument(
        "run", metavar="RUN", help="the run that has ended: its id, a unique beginning of it, or `latest`"
    )
    resume.add_argument(
        "file", metavar="FILE", nargs="?", help=f"the pipeline as it is now (default: as it was): {_PIPELINE}"
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
    _python_file(run)
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
    _connection(run)


def _runs(verbs: Any) -> None:
    runs = verbs.add_parser("runs", help="list, show and steer runs").add_subparsers(
        dest="action", metavar="ACTION", required=True
    )
    listing = runs.add_parser("list", help="the newest runs")
    listing.add_argument("--limit", type=_limit, default=20, help="how many (default 20; 0 = all)")
    listing.add_argument("--experiment", default="", help="those of this one alone: its name or id")
    listing.add_argument("--state", default="", type=str.upper, choices=RUN_STATES, help="those in this state alone")
    listing.add_argument(
        "--archived", action=argparse.BooleanOptionalAction, help="those alone that are archived, or are not"
    )
    _connection(listing)
    _about_run(runs.add_parser("get", help="a run with its tasks"))
    logs = runs.add_parser("logs", help="the logs of a run's tasks (of very many: 100, those that failed first)")
    logs.add_argument("run", metavar="RUN", help="a run's id, a unique beginning of it, or `latest`")
    logs.add_argument("--task", metavar="PATH", help="one task's alone, such as for-loop-1[0]/train")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the run has ended")
    logs.add_argument("--endpoint", metavar="URL", help=_ENDPOINT)
    _watch(runs)
    _about_run(runs.add_parser("usage", help="the accelerator time that a run's tasks asked for and used"))
    compare = runs.add_parser("compare", help="runs side by side by the numbers in their artifacts' metadata")
    compare.add_argument("runs", metavar="RUN", nargs="*", help="runs (default: the newest that all else is true of)")
    compare.add_argument("--pipeline", metavar="NAME", default="", help="of this one alone")
    compare.add_argument("--experiment", default="", help="of this one alone: its name or id")
    compare.add_argument("--metric", metavar="NAME", action="append", default=[], help="this alone; can be repeated")
    compare.add_argument("--sort", metavar="METRIC", default="", help="those where it is the largest")
    compare.add_argument("--ascending", action="store_true", help="with --sort: the smallest")
    compare.add_argument("--limit", type=_limit, default=20, help="how many (default 20; 0 = 1000)")
    _connection(compare)
    terminate = runs.add_parser("terminate", help="end a run")
    terminate.add_argument(
        "--run-exit-tasks",
        action="store_true",
        help="let exit tasks of what is going on run first; without it a second time, they are ended too",
    )
    _about_run(terminate)
    for name, text in (
        ("retry", "run again what failed"),
        ("archive", "take a run out of lists that hide archived ones"),
        ("unarchive", "bring it back"),
        ("delete", "end and delete a run; what it put out stays, see `headrace retention`"),
        ("pin", "keep a run whatever the retention policies say"),
        ("unpin", "let them take it"),
    ):
        _about_run(runs.add_parser(name, help=text))


def _age(text: str) -> float:
    number, unit = text[:-1], {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}.get(text[-1:])
    try:
        age = float(number) * (unit or 0)
    except ValueError:
        age = 0.0
    if not 0 < age < 1e11:
        raise argparse.ArgumentTypeError(f"{text} is no age; give a number and a unit, such as 30m, 12h or 7d")
    return age


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
    begin.add_argument("--after", metavar="N", type=_limit, default=0, help="only events after this sequence number")
    begin.add_argument("--now", action="store_true", help="only events from now on")
    watch.add_argument("--no-follow", action="store_true", help="print what has happened, and leave")
    watch.add_argument("--endpoint", metavar="URL", help=_ENDPOINT)


def _limit(text: str) -> int:
    try:
        limit = int(text)
    except ValueError:
        limit = -1
    if limit < 0:
        raise argparse.ArgumentTypeError(f"{text} is no number of them; give one from 1 up, or 0 for all")
    return limit


def _about_run(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("run", metavar="RUN", help="a run's id, a unique beginning of it, or `latest`")
    _connection(verb)


def _connection(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--endpoint", metavar="URL", help=_ENDPOINT)
    _output(verb)


def _output(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "-o", "--output", choices=("text", "json", "yaml"), default="text", help="how results are printed"
    )


def parameters(given: Iterable[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """`name=value` → texts, `name:=json` → values; a name given twice or without a value is BadInput."""
    texts: dict[str, str] = {}
    values: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        typed = name.endswith(":")
        name = name.removesuffix(":")
        if not equals or not name:
            raise BadInput(f"-p {one}: expected name=value, or name:=json")
        if name in texts or name in values:
            raise BadInput(f"-p {name} is given twice")
        if typed:
            try:
                values[name] = json.loads(value)
            except ValueError as wrong:
                raise BadInput(f"-p {name}:= is not JSON: {wrong}") from None
            except RecursionError:
                raise BadInput(f"-p {name}:= is nested too deep: a value has at most 100 levels") from None
        else:
            texts[name] = _sendable("-p", name, value)
    return texts, values


def metadata(given: Sequence[str]) -> dict[str, str]:
    """`name=value` → values as they are written."""
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise BadInput(f"--metadata {one}: expected name=value")
        found[name] = _sendable("--metadata", name, value)
    return found


def artifacts(given: Sequence[str]) -> dict[str, str]:
    """`name=uri` → URIs."""
    uris: dict[str, str] = {}
    for one in given:
        name, equals, uri = one.partition("=")
        if not equals or not name or not uri:
            raise BadInput(f"-a {one}: expected name=uri")
        if name in uris:
            raise BadInput(f"-a {name} is given twice")
        uris[name] = _sendable("-a", name, uri)
    return uris


def _sendable(option: str, name: str, value: str) -> str:
    """Arguments that are no UTF-8 reach us with lone surrogates, which no message can hold."""
    try:
        f"{name}{value}".encode()
    except UnicodeEncodeError:
        raise BadInput(f"{option} {name!a} is not UTF-8 text; give other bytes by a file") from None
    return value
