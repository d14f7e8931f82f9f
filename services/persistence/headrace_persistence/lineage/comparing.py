"""Runs side by side by figures in the metadata of what they put out: which runs, then their figures. Called by the handlers."""

from __future__ import annotations

from typing import Any, Final

from headrace_persistence.lineage.finding import plain
from headrace_persistence.queries import SQL
from headrace_protos.v1 import lineage_pb2 as pb
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Row, Transaction

MOST: Final = 20
LARGEST: Final = 1_000
FIGURES: Final = 100_000  # in one answer


class Comparison:
    """`compare` is one read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def compare(self, request: pb.CompareRunsRequest) -> pb.CompareRunsResponse:
        """The runs in their order, each with its figures."""
        query, params = query_of(request)

        async def work(tx: Transaction) -> pb.CompareRunsResponse:
            order = [row[0] for row in await tx.fetch(SQL[query], params)]
            rows = {row[0]: row for row in await tx.fetch(SQL["compared_runs"], {"runs": order})}
            names = [plain(name) for name in request.metrics]
            told = {"runs": order, "names": names, "limit": FIGURES}
            made = {number: run_of(rows[number]) for number in order if number in rows}
            for row in await tx.fetch(SQL["run_figures"], told):
                made[row[0]].figures.append(figure_of(row))
            return pb.CompareRunsResponse(runs=made.values())

        return await self._database.transaction(work)


def query_of(request: pb.CompareRunsRequest) -> tuple[str, dict[str, Any]]:
    """The query's name and its parameters. Raises ServiceError."""
    if not 0 <= request.most <= LARGEST or len(request.run_ids) > LARGEST:
        raise ServiceError(Reason.INVALID_INPUT, f"at most {LARGEST:,} runs are compared at once; 0 for {MOST}")
    query = "compared_of_pipeline" if request.pipeline_name else "compared_newest"
    if request.sort_by or request.run_ids:
        query = "compared_best" if request.sort_by else "compared_named"
    most = request.most or max(MOST, len(request.run_ids))
    return query, {
        "run_ids": [plain(one) for one in request.run_ids],
        "namespace": plain(request.namespace),
        "pipeline_name": plain(request.pipeline_name),
        "experiment_id": plain(request.experiment_id),
        "sort_by": plain(request.sort_by),
        "sign": -1.0 if request.ascending else 1.0,
        "most": most,
    }


def run_of(row: Row) -> pb.RunFigures:
    _, run_id, display_name, pipeline_name, state, created, parameters = row
    return pb.RunFigures(
        run_id=run_id,
        display_name=display_name,
        pipeline_name=pipeline_name,
        state=state,
        created_at_us=created,
        parameters_json=parameters,
    )


def figure_of(row: Row) -> pb.Figure:
    _, path, output, name, number, text, artifact = row
    made = pb.Figure(path=path, output=output, name=name, artifact=artifact)
    if number is not None:
        made.number = number
    elif text is not None:
        made.text = text
    return made
