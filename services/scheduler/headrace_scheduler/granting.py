"""What an attempt may do with which objects, decided from its Launch. Pure.

It reads its inputs, its large parameters and what it published itself, and writes beneath its own prefix. What belongs to
another namespace it may not read, whoever named it as an input. Called by `handlers.access`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from headrace_companion.results import ATTEMPT_FILE
from headrace_companion.store import KeyRefused, checked_key
from headrace_protos.v1.access_pb2 import Want
from headrace_scheduler.executors.port import Launch
from headrace_scheduler.packages import FOLDER, packages_uri
from headrace_scheduler.stores.areas import Area, Areas

WRITES: Final = frozenset({"put", "complete", "abort", "delete"})


@dataclass(frozen=True, slots=True)
class Granted:
    """The keys of AREA's store serve the want."""

    area: Area


@dataclass(frozen=True, slots=True)
class Answered:
    """No store is asked. `outside`: whoever wants it fetches it itself; `missing`: as if nothing were there."""

    problem: str = ""
    outside: bool = False
    missing: bool = False


class Refused(Exception):  # noqa: N818 - read as a statement
    """The attempt has nothing to do with what it names."""


def judge(want: Want, launch: Launch, areas: Areas) -> Granted | Answered:
    """Raises Refused."""
    kind, uri = named(want)
    if not _is_plain(uri):
        if _is_report_of_input(uri, launch):
            return Answered(missing=True)
        raise Refused(f"{uri!r} is not the URI of an object")
    own = uri.startswith(f"{launch.task_root}/")
    if not own and kind != "delete" and _is_packages(uri, launch, areas):
        return _in_store(uri, launch.namespace, areas)
    if kind in WRITES and not own:
        raise Refused(f"{uri} does not lie beneath {launch.task_root}, where this attempt publishes")
    if own:
        return _in_store(uri, launch.namespace, areas)
    if _reads(uri, launch):
        area = areas.of(uri)
        if area is not None:
            return _in_store(uri, launch.namespace, areas)
        able = areas.reading(uri, launch.namespace)
        return Granted(able) if able is not None else Answered(outside=True)
    if _is_report_of_input(uri, launch):  # it tells whether an input was published empty
        found = _in_store(uri, launch.namespace, areas)
        return found if isinstance(found, Granted) else Answered(missing=True)
    raise Refused(f"{uri} is neither an input of this attempt nor beneath {launch.task_root}")


def named(want: Want) -> tuple[str, str]:
    """The kind of a want, and the URI that it names."""
    kind = want.WhichOneof("kind") or ""
    if kind == "put":
        return kind, want.put.uri
    if kind == "complete":
        return kind, want.complete.uri
    return kind, getattr(want, kind) if kind else ""


def _is_packages(uri: str, launch: Launch, areas: Areas) -> bool:
    """What tasks of the namespace with the same image and requirements share (ADR 0014): each may read and replace it."""
    root = areas.default_root(launch.namespace)
    return uri.startswith(f"{root}/{FOLDER}/") and uri == packages_uri(launch, root)


def _in_store(uri: str, namespace: str, areas: Areas) -> Granted | Answered:
    area = areas.of(uri)
    if area is None:
        return Answered(problem=f"{uri} lies in none of the platform's artifact stores")
    problem = area.problem(uri, namespace)
    return Answered(problem=problem) if problem else Granted(area)


def _reads(uri: str, launch: Launch) -> bool:
    given = {one.uri for held in launch.inputs.values() for one in held.artifacts}
    given |= {ref.uri for ref in launch.references.values()}
    return uri in given or any(uri.startswith(f"{one.rstrip('/')}/") for one in given)


def _is_report_of_input(uri: str, launch: Launch) -> bool:
    folder, slash, name = uri.rpartition("/")
    above = f"{folder}/"
    return (
        bool(slash)
        and name == ATTEMPT_FILE
        and any(one.uri.startswith(above) for held in launch.inputs.values() for one in held.artifacts)
    )


def _is_plain(uri: str) -> bool:
    """Without a name that some server would take for another place; http addresses are nobody's here."""
    scheme, separator, rest = uri.partition("://")
    if scheme not in ("s3", "minio"):
        return bool(separator)
    try:
        checked_key(rest.rstrip("/"))
    except KeyRefused:
        return False
    return "/" in rest
