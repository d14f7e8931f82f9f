"""`headrace retention`, `runs pin` and `unpin`: what goes and when. Called by cli.main."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from headrace.api.calls import Calls
from headrace.api.retention import AsyncRetention
from headrace.cli import results
from headrace.cli.arguments import UNITS, seconds
from headrace.cli.verbs import find_run
from headrace.display.screen import say
from headrace.display.texts import many, one_line
from headrace.errors import BadInput
from headrace.retention import Going, Kept, Policy, RetentionPlan

ONE: Final = {  # of a kind
    "runs": "run",
    "archived": "archived run",
    "artifacts": "artifact",
    "logs": "log",
    "cache": "cached result",
    "traces": "trace",
    "packages": "archive",
}
NOTHING: Final = "no policies: everything is kept; `headrace retention set runs 90d` sets one"


async def retention(client: Calls, options: argparse.Namespace) -> int:
    """What the action says."""
    actions = {"show": _show, "set": _set, "plan": _plan, "run": _run}
    return await actions[options.action](AsyncRetention(client.connection), options)


async def pin(client: Calls, options: argparse.Namespace) -> int:
    """Also `unpin`."""
    run = await find_run(client, options.run)
    unpin = options.action == "unpin"
    await AsyncRetention(client.connection).pin(run.run_id, unpin=unpin)
    if options.output != "text":
        print(results.printed({"run_id": run.run_id, "pinned": not unpin}, options.output))
    else:
        print(f"{run.run_id} is {'not pinned any more' if unpin else 'pinned: no retention policy takes it'}")
    return 0


async def _show(calls: AsyncRetention, options: argparse.Namespace) -> int:
    found = await calls.policies(namespace=options.namespace)
    if options.output != "text":
        print(results.printed([policy_object(one) for one in found], options.output))
        return 0
    for one in found:
        print(policy_line(one))
    if not found:
        say(NOTHING)
    return 0


async def _set(calls: AsyncRetention, options: argparse.Namespace) -> int:
    scope = {"namespace": options.namespace, "pipeline": options.pipeline}
    if options.limits == "none":
        await calls.remove(options.kind, expected_version=options.version, **scope)
        if options.output != "text":
            print(results.printed({"kind": options.kind, **scope, "removed": True}, options.output))
        else:
            print(f"{options.kind}{_scope(**scope)}: nothing is said here any more")
        return 0
    age, count = limits(options.limits)
    made = await calls.set(options.kind, max_age=age, max_count=count, expected_version=options.version, **scope)
    print(policy_line(made) if options.output == "text" else results.printed(policy_object(made), options.output))
    return 0


async def _plan(calls: AsyncRetention, options: argparse.Namespace) -> int:
    found = await calls.plan(namespace=options.namespace)
    _print(found, options, "would go")
    return 0


async def _run(calls: AsyncRetention, options: argparse.Namespace) -> int:
    """Pass after pass, until nothing is left or something is in the way."""
    going: list[Going] = []
    kept: dict[tuple[str, str], Kept] = {}
    while True:
        done = await calls.run(namespace=options.namespace)
        going += done.going
        kept = {(one.kind, one.name): one for one in done.kept}
        if not done.more or not done.going:
            break
    _print(RetentionPlan(tuple(going), tuple(kept.values()), done.problems, more=done.more), options, "went")
    return 1 if done.problems else 0


def _print(plan: RetentionPlan, options: argparse.Namespace, verb: str) -> None:
    if options.output != "text":
        print(results.printed(plan_object(plan), options.output))
        return
    for line in plan_lines(plan, verb):
        print(line)
    for problem in plan.problems:
        say(problem)


# ---- pure


def limits(text: str) -> tuple[timedelta | None, int | None]:
    """`90d`, `1000`, `90d,1000` or `keep`."""
    if text == "keep":
        return None, None
    age: timedelta | None = None
    count: int | None = None
    for part in text.split(","):
        if part.isdecimal() and len(part) < 19 and count is None:
            count = int(part)
        elif (found := seconds(part)) is not None and age is None:
            age = timedelta(seconds=found)
        else:
            wrong = f"{part[:40]!r} is neither an age such as 90d nor a number"
            raise BadInput(f"{text[:40]}: {wrong}; `keep` keeps all, `none` says nothing here")
    return age, count


def shown_age(age: timedelta) -> str:
    """In its largest unit."""
    total = age.total_seconds()
    for unit in "dhm":
        number, rest = divmod(total, UNITS[unit])
        if number and not rest:
            return f"{int(number)}{unit}"
    return f"{total:g}s"


def policy_line(one: Policy) -> str:
    said = []
    if one.max_age is not None:
        said.append(f"what is older than {shown_age(one.max_age)} goes")
    if one.max_count is not None:
        each = "namespace" if one.kind == "packages" else "pipeline"
        said.append(f"of each {each} the newest {one.max_count} stay")
    source = "declared by the platform's settings" if one.declared else f"version {one.version}"
    return f"{one.kind}{_scope(one.namespace, one.pipeline)}: {'; '.join(said) or 'all are kept'} ({source})"


def policy_object(one: Policy) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "namespace": one.namespace,
        "pipeline": one.pipeline,
        "max_age_s": one.max_age.total_seconds() if one.max_age is not None else None,
        "max_count": one.max_count,
        "version": one.version,
        "declared": one.declared,
    }


def plan_lines(plan: RetentionPlan, verb: str) -> Iterator[str]:
    for one in plan.going:
        bytes_ = f", {one.size:,} bytes" if one.size else ""
        yield one_line(f"{one.kind}  {one.name}{_scope(one.namespace, one.pipeline)}: {one.why}{bytes_}")
    for kept in plan.kept:
        yield one_line(f"kept: {kept.kind}  {kept.name}: {kept.why}")
    counts = Counter(one.kind for one in plan.going)
    size = sum(one.size for one in plan.going)
    told = ", ".join(many(count, ONE.get(kind, kind)) for kind, count in counts.items()) or "nothing"
    yield f"{told} {verb}{f', {size:,} bytes of artifacts' if size else ''}{'; there is more' if plan.more else ''}"


def plan_object(plan: RetentionPlan) -> dict[str, Any]:
    going: list[Mapping[str, Any]] = [
        {
            "kind": one.kind,
            "name": one.name,
            "namespace": one.namespace,
            "pipeline": one.pipeline,
            "why": one.why,
            "size": one.size,
            "created_at": results.rfc3339(one.created_at),
        }
        for one in plan.going
    ]
    kept = [{"kind": one.kind, "name": one.name, "why": one.why} for one in plan.kept]
    return {"going": going, "kept": kept, "problems": list(plan.problems), "more": plan.more}


def _scope(namespace: str, pipeline: str) -> str:
    named = "/".join(name for name in (namespace, pipeline) if name)
    return f" of {one_line(named)}" if named else ""
