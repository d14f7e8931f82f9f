"""Artifact stores on a real S3-compatible server."""

from __future__ import annotations

from fixtures.fix_s3 import S3
from headrace_companion.buckets.connecting import from_environment
from headrace_companion.buckets.s3_store import S3Store
from headrace_companion.remote.sources import Ambient

PATIENCE_S = 5.0


def s3_store(s3: S3, name: str, *, patience_s: float = PATIENCE_S) -> S3Store:
    """A store of its own in a bucket of the tests; NAME is a part of its prefix."""
    root = s3.bucket("artifacts", {})
    ambient = Ambient(s3.environ)
    return S3Store(f"{root}/store #1 [x]/{name}", from_environment(ambient), ambient, patience_s)
