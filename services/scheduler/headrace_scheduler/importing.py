"""Importers: from a URI to an artifact record. Nothing is fetched here; consumers stage the content. Called by dispatching.py."""

from __future__ import annotations

import uuid
from typing import Final
from urllib.parse import urlsplit

from headrace_protos.v1 import events_pb2
from headrace_scheduler.engine.commands import Import
from headrace_scheduler.engine.facts import Imported

SCHEMES: Final = ("file", "gs", "http", "https", "minio", "oci", "s3")


def import_artifact(run_id: str, command: Import) -> Imported:
    """The artifact that COMMAND names, or what is wrong with its URI."""
    scheme = urlsplit(command.uri).scheme
    if not command.uri:
        return Imported(command.path, problem="the importer's URI is empty; give it an artifact's address")
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        return Imported(command.path, problem=f"cannot import {command.uri!r}: its scheme is none of {known}")
    if scheme == "oci" and command.schema.get("schema_title") not in ("system.Model", "", None):
        return Imported(
            command.path, problem=f"cannot import {command.uri!r}: oci:// holds models, so import it as system.Model"
        )
    artifact = events_pb2.Artifact(
        artifact_id=str(uuid.uuid5(uuid.UUID(run_id), f"{command.path}/artifact")),
        name="artifact",
        uri=command.uri,
        metadata_json=command.metadata_json,
        schema_title=command.schema.get("schema_title", ""),
        schema_version=command.schema.get("schema_version", ""),
        instance_schema=command.schema.get("instance_schema", ""),
        schema_uri=command.schema.get("schema_uri", ""),
    )
    return Imported(command.path, artifact=artifact)
