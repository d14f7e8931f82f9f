"""What can be asked of a platform about artifacts of all runs: `client.artifacts` and the CLI. asyncio, on plain records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from headrace.errors import BadInput, NotFound

if TYPE_CHECKING:
    from headrace.api.connection import Connection
    from headrace.provenance import ArtifactRecord, Difference, Direction, Figures, Lineage, RunFigures

PAGE: Final = 500


class AsyncArtifacts:
    """Artifacts are named by their id, their number, a digest (`sha256:…`) or a URI: of several the newest that code made."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(
        self,
        *,
        uri: str = "",
        kind: str = "",
        digest: str = "",
        pipeline: str = "",
        run_id: str = "",
        metadata: Mapping[str, str] | None = None,
        limit: int = 50,
    ) -> list[ArtifactRecord]:
        """Those that all of this is true of, the newest first; LIMIT 0 = all. KIND: such as system.Model;
        PIPELINE: the name of one whose runs read or write them; RUN_ID: the run that writes them; METADATA: values as JSON
        texts, or as they are.
        """
        from headrace import reading_provenance
        from headrace_protos.v1 import lineage_pb2

        request = lineage_pb2.FindArtifactRecordsRequest(
            uri=uri,
            type=kind,
            digest=digest,
            pipeline_name=pipeline,
            run_id=run_id,
            metadata=[f"{name}={value}" for name, value in (metadata or {}).items()],
            page_size=min(limit or PAGE, PAGE),
        )
        found: list[ArtifactRecord] = []
        while True:
            page = await self._connection.call("Artifacts", "List", request)
            found += [reading_provenance.record(one) for one in page.artifacts]
            if not page.next_before_id or (limit and len(found) >= limit):
                return found[: limit or None]
            request.before_id = page.next_before_id

    async def get(self, artifact: str | int) -> ArtifactRecord:
        """One with the tasks that read and wrote it."""
        from headrace import reading_provenance
        from headrace_protos.v1 import lineage_pb2

        request = lineage_pb2.GetArtifactRecordRequest(artifact_id=await self._id(artifact))
        return reading_provenance.record(await self._connection.call("Artifacts", "Get", request))

    async def lineage(
        self, artifact: str | int, *, direction: Direction = "both", hops: int = 0, most: int = 0
    ) -> Lineage:
        """What it was made of (`up`) and what was made of it (`down`), across runs, HOPS tasks away (0: 5); at most MOST
        artifacts and tasks (0: 1000).
        """
        from headrace import reading_provenance
        from headrace_protos.v1 import lineage_pb2

        both = lineage_pb2.LINEAGE_DIRECTION_UNSPECIFIED
        ways = {"up": lineage_pb2.UPSTREAM_OF, "down": lineage_pb2.DOWNSTREAM_OF, "both": both}
        if direction not in ways:
            raise BadInput(f"direction is {direction!r}; give one of {', '.join(ways)}")
        request = lineage_pb2.GetLineageRequest(
            artifact_id=await self._id(artifact),
            direction=ways[direction],
            hops=hops,
            most=most,
        )
        return reading_provenance.lineage(await self._connection.call("Artifacts", "Lineage", request))

    async def diff(self, first: str | int, second: str | int) -> list[Difference]:
        """In what two differ: themselves, and what they were made of. Empty: they are the same."""
        from headrace import reading_provenance
        from headrace_protos.v1 import artifacts_pb2

        request = artifacts_pb2.DiffArtifactsRequest(first=await self._id(first), second=await self._id(second))
        return reading_provenance.differences(await self._connection.call("Artifacts", "Diff", request))

    async def figures(self, artifact: str | int) -> Figures:
        """What its metadata says as data: numbers, confusion matrix, ROC curve, slices; of a page, text or table its
        beginning.
        """
        from headrace import reading_provenance
        from headrace_protos.v1 import artifacts_pb2

        request = artifacts_pb2.GetFiguresRequest(artifact_id=await self._id(artifact))
        return reading_provenance.figures(await self._connection.call("Artifacts", "Figures", request))

    async def compare_runs(
        self,
        run_ids: Sequence[str] = (),
        *,
        pipeline: str = "",
        experiment_id: str = "",
        metrics: Sequence[str] = (),
        sort_by: str = "",
        ascending: bool = False,
        limit: int = 20,
    ) -> list[RunFigures]:
        """Runs side by side by the figures in their artifacts: those with RUN_IDS, else the newest of a PIPELINE or experiment;
        with SORT_BY those where this figure is the largest (ASCENDING: the smallest). METRICS: these alone, which may be texts.
        NotFound where one of RUN_IDS is not there.
        """
        from headrace import reading_provenance
        from headrace_protos.v1 import lineage_pb2

        run_ids, metrics = _texts("run_ids", run_ids), _texts("metrics", metrics)
        request = lineage_pb2.CompareRunsRequest(
            run_ids=run_ids,
            pipeline_name=pipeline,
            experiment_id=experiment_id,
            metrics=metrics,
            sort_by=sort_by,
            ascending=ascending,
            most=max(limit, len(run_ids)),
        )
        answer = await self._connection.call("Artifacts", "CompareRuns", request)
        return [reading_provenance.run_figures(one) for one in answer.runs]

    async def _id(self, named: str | int) -> str:
        """What the platform takes for a name."""
        artifact = str(named)
        if artifact.startswith("sha256:"):
            found = await self.find(digest=artifact, limit=1)
        elif "://" in artifact:
            found = await self.find(uri=artifact, limit=PAGE)
            found.sort(key=lambda one: not one.artifact.digest)  # what code made, not who imported it from there
        else:
            return artifact
        if not found:
            raise NotFound(f"there is no artifact {artifact}; `headrace artifacts list` shows the newest")
        return str(found[0].number)


def _texts(name: str, given: Iterable[str]) -> list[str]:
    """As a list: one text alone would be taken for a list of its letters. Raises BadInput."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise BadInput(f"{name} is {given!r}; give a list of texts")
    texts = list(given)
    for one in texts:
        if not isinstance(one, str):
            raise BadInput(f"{name} has {one!r} in it; give a list of texts")
    return texts
