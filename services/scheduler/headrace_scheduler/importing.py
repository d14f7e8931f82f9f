"""Importers: from a URI to an artifact record, an existing one where that is allowed. Called by dispatching.py.

Nothing is fetched here; the content is, when a task reads it. Only a folder of this machine is looked at, because a
misspelt path is cheap to find, and only where platform and tasks share it: on a cluster the scheduler's disk is nobody's.
"""

from __future__ import annotations

import asyncio
import logging
import stat
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from headrace_companion.folder_store import folder_of_uri
from headrace_ir.uris import import_problem
from headrace_protos.v1 import events_pb2, run_query_pb2
from headrace_scheduler.engine.commands import Import
from headrace_scheduler.engine.facts import Imported
from headrace_servicekit.errors import ServiceError

logger = logging.getLogger(__name__)
AGAIN_S: Final = 2.0
Asked = tuple[str, Import]  # run id, command


@dataclass(frozen=True, slots=True)
class Importer:
    """`query` is a RunQuery stub; `local`: tasks run on this machine and read its folders."""

    query: Any
    local: bool

    async def ask(self, asked: Sequence[Asked]) -> list[tuple[str, Imported]]:
        """Answers in the order asked, each with its run id. Persistence being down is waited for: nothing else could be
        appended meanwhile anyway.
        """
        wrong = await asyncio.to_thread(lambda: [problem_of(command, self.local) for _, command in asked])
        searches = [i for i, (_, command) in enumerate(asked) if not wrong[i] and not command.reimport]
        found = dict(zip(searches, await self._find([asked[i][1] for i in searches]), strict=True))
        answers: list[tuple[str, Imported]] = []
        for i, (run_id, command) in enumerate(asked):
            if wrong[i]:
                answers.append((run_id, Imported(command.path, None, wrong[i], command.number)))
            else:
                artifact = found.get(i) or new_artifact(run_id, command)
                answers.append((run_id, Imported(command.path, artifact, number=command.number)))
        return answers

    async def _find(self, commands: Sequence[Import]) -> list[events_pb2.Artifact | None]:
        """The newest artifact that each may link, if there is one."""
        if not commands:
            return []
        request = run_query_pb2.FindArtifactsRequest(queries=[_query(command) for command in commands])
        while True:
            try:
                answer = await self.query.FindArtifacts(request)
            except ServiceError as down:
                logger.warning("persistence does not answer, %d importers wait: %s", len(commands), down)
                await asyncio.sleep(AGAIN_S)
            else:
                return [one.artifact if one.HasField("artifact") else None for one in answer.found]


def problem_of(command: Import, local: bool) -> str:
    """What is wrong with an importer's URI; "" if nothing is. Looks at folders of this machine."""
    problem = import_problem(command.uri, command.schema.get("schema_title", "")) or ""
    return _folder_problem(command.uri, local) if not problem and command.uri.lower().startswith("file:") else problem


def _folder_problem(uri: str, local: bool) -> str:
    if not local:
        return f"cannot import {uri!r}: tasks do not run on the platform's machine; put the file into a store that they reach"
    folder = folder_of_uri(uri)
    if folder is None or "\0" in str(folder):
        return f"cannot import {uri!r}: write file:///absolute/path"
    try:
        mode = folder.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"cannot import {uri!r}: there is no file or folder {folder} on this machine"
    except (OSError, ValueError) as error:  # not to be reached by us, too long, no text of the file system's
        said = error.strerror if isinstance(error, OSError) else error
        return f"cannot import {uri[:200]!r}: {said}"
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        return f"cannot import {uri!r}: {folder} is neither a file nor a folder"
    return ""


def new_artifact(run_id: str, command: Import) -> events_pb2.Artifact:
    """The record of what is imported: the same again where the command comes again."""
    identity = f"{command.path}/{command.output}\n{command.uri}\n{command.metadata_json}"
    return events_pb2.Artifact(
        artifact_id=str(uuid.uuid5(uuid.UUID(run_id), identity)),
        name=command.output,
        uri=command.uri,
        metadata_json=command.metadata_json,
        schema_title=command.schema.get("schema_title", ""),
        schema_version=command.schema.get("schema_version", ""),
        instance_schema=command.schema.get("instance_schema", ""),
        schema_uri=command.schema.get("schema_uri", ""),
    )


def _query(command: Import) -> run_query_pb2.ArtifactQuery:
    return run_query_pb2.ArtifactQuery(
        namespace=command.namespace,
        pipeline_name=command.pipeline_name,
        uri=command.uri,
        metadata_json=command.metadata_json,
        **command.schema,
    )
