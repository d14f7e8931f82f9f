"""URIs of artifacts from outside: which can be imported. Pure; whether anything is there is seen when a task reads it.

Called by the static checks (constants) and by the scheduler (values of a run).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from headrace_ir.problems import hint

SCHEMES: Final = ("file", "gs", "http", "https", "minio", "oci", "s3")


def import_problem(uri: str, schema_title: str = "", *, to_workspace: bool = False) -> str | None:
    """Why an importer cannot take a URI, or None."""
    if not uri:
        return "the importer's URI is empty; give it an artifact's address"
    if not uri.isprintable():
        return f"cannot import {_shown(uri)}: it holds a character that cannot be printed"
    scheme = _scheme(uri)
    if not scheme:
        return f"{_shown(uri)} is not a URI; expected one such as 's3://bucket/data' or 'file:///data/x'"
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        end = hint(scheme, SCHEMES)
        meant = f"; {end}" if end.startswith("did you mean") else ""
        return f"cannot import {_shown(uri)}: its scheme is none of {known}{meant}"
    if scheme == "oci" and schema_title not in ("system.Model", ""):
        return f"cannot import {_shown(uri)}: oci:// holds models, so import it as system.Model"
    if scheme == "oci" and to_workspace:
        return f"cannot import {_shown(uri)} to the workspace: a model of oci:// is mounted, not downloaded"
    return None


def _scheme(uri: str) -> str:
    try:
        return urlsplit(uri).scheme if "://" in uri else ""
    except ValueError:  # such as an unclosed bracket in the host
        return ""


def _shown(uri: str) -> str:
    return repr(uri if len(uri) <= 100 else uri[:100] + "…")
