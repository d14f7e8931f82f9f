"""Where an artifact is: a short digest of its type and URI, which an index holds whatever their length and characters.

Pure. Also whether an artifact's metadata is what an importer wants. Called by columns.py and stores/querying.py.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq

BYTES = 16


def place(of: ev.Artifact | rq.ArtifactQuery) -> bytes:
    """Equal for equal type and URI."""
    parts = (of.schema_title, of.schema_version, of.instance_schema, of.schema_uri, of.uri)
    return hashlib.sha256(json.dumps(parts).encode()).digest()[:BYTES]


def fits(artifact: ev.Artifact, wanted: rq.ArtifactQuery) -> bool:
    """Whether each key of the wanted metadata has an equal value; equal digests are checked against what they stand for."""
    if place(artifact) != place(wanted) or artifact.uri != wanted.uri:
        return False
    asked: dict[str, Any] = json.loads(wanted.metadata_json or "{}")
    held: dict[str, Any] = json.loads(artifact.metadata_json or "{}")
    return all(name in held and _equal(held[name], value) for name, value in asked.items())


def _equal(held: Any, wanted: Any) -> bool:
    """As JSON values: true is not 1."""
    return json.dumps(held, sort_keys=True) == json.dumps(wanted, sort_keys=True)
