"""Between messages and the rows of the cache. Pure; called by store.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headrace_protos.v1 import cache_pb2, events_pb2
from headrace_servicekit.postgres import Row


def misses_of(told: Sequence[cache_pb2.Reservation]) -> dict[str, list[Any]]:
    """The parameters of put_misses, each task once."""
    last = {one.holder: one for one in told}
    places = [holder.partition("/") for holder in last]
    return {
        "runs": [run for run, _, _ in places],
        "paths": [path for _, _, path in places],
        "keys": [one.key for one in last.values()],
        "whys": [one.why for one in last.values()],
        "ingredients": [one.ingredients.SerializeToString(deterministic=True) for one in last.values()],
    }


def record_of(row: Row) -> cache_pb2.EntryRecord:
    """A row of list_entries or entries_using."""
    key, namespace, pipeline, origin, created, newer, uris = row
    return cache_pb2.EntryRecord(
        key=key,
        namespace=namespace,
        pipeline_name=pipeline,
        origin=origin,
        created_at_us=created,
        newer=newer,
        uris=uris,
    )


def uris_of(values: events_pb2.Values) -> list[str]:
    """What the outputs need in the stores: artifacts, and values by reference."""
    found = [artifact.uri for group in values.artifacts.values() for artifact in group.artifacts]
    found += [value.uri for value in values.parameters.values() if value.uri]
    return [uri for uri in found if "\n" not in uri]


def columns_of(rows: Sequence[cache_pb2.Entry]) -> dict[str, list[Any]]:
    """The parameters of commit_entries."""
    return {
        "keys": [e.key for e in rows],
        "namespaces": [e.ingredients.namespace for e in rows],
        "pipelines": [e.ingredients.pipeline_name for e in rows],
        "components": [e.ingredients.component for e in rows],
        "runs": [e.origin.partition("/")[0] for e in rows],
        "origins": [e.origin for e in rows],
        "outputs": [e.outputs.SerializeToString(deterministic=True) for e in rows],
        "ingredients": [e.ingredients.SerializeToString(deterministic=True) for e in rows],
        "uris": ["\n".join(uris_of(e.outputs)) for e in rows],
    }
