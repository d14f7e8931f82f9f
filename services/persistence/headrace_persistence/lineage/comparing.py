"""Runs side by side by figures in the metadata of what they put out: which runs, then their figures. Called by the handlers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from headrace_persistence.lineage.finding import plain
from headrace_persistence.queries import SQL
from headrace_protos.v1 import lineage_pb2 as pb
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Row, Transaction

MOST: Final = 20
LARGEST: Final = 1_000
FIGURES: Final = 100_000  # in one answer
FEW: Final = 500  # runs of which each is looked at
TIES: Final = 20_000  # figures that are read at most to tell runs of equal ones apart


class Comparison:
    """`compare` is one read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def compare(self, request: pb.CompareRunsRequest) -> pb.CompareRunsResponse:
        """The runs in their order, each with its figures."""
        params = params_of(request)

        async def work(tx: Transaction) -> pb.CompareRunsResponse:
            order = await _order(tx, request, params)
            rows = {row[0]: row for row in await tx.fetch(SQL["compared_runs"], {"runs": order})}
            names = [plain(name) for name in request.metrics]
            told = {"runs": order, "names": names, "limit": FIGURES}
            made = {number: run_of(rows[number]) for number in order if number in rows}
            for row in await tx.fetch(SQL["run_figures"], told):
                made[row[0]].figures.append(figure_of(row))
            return pb.CompareRunsResponse(runs=made.values())

        return await self._database.transaction(work)


def params_of(request: pb.CompareRunsRequest) -> dict[str, Any]:
    """For every query. Raises ServiceError."""
    if not 0 <= request.most <= LARGEST or len(request.run_ids) > LARGEST:
        raise ServiceError(Reason.INVALID_INPUT, f"at most {LARGEST:,} runs are compared at once; 0 for {MOST}")
    return {
        "run_ids": [plain(one) for one in request.run_ids],
        "namespace": plain(request.namespace),
        "pipeline_name": plain(request.pipeline_name),
        "experiment_id": plain(request.experiment_id),
        "sort_by": plain(request.sort_by),
        "sign": -1.0 if request.ascending else 1.0,
        "most": request.most or max(MOST, len(request.run_ids)),
    }


async def _order(tx: Transaction, request: pb.CompareRunsRequest, params: dict[str, Any]) -> list[int]:
    """The numbers of the runs."""
    if not request.sort_by:
        query = "compared_of_pipeline" if request.pipeline_name else "compared_newest"
        rows = await tx.fetch(SQL["compared_named" if request.run_ids else query], params)
        return [row[0] for row in rows]
    scope: list[int] | None = None
    if request.run_ids:
        scope = [row[0] for row in await tx.fetch(SQL["compared_named"], {**params, "most": LARGEST})]
    elif not request.pipeline_name and (request.experiment_id or request.namespace):
        rows = await tx.fetch(SQL["compared_scope"], {**params, "most": FEW + 1})
        scope = [row[0] for row in rows] if len(rows) <= FEW else None
    if scope is not None:
        return [row[0] for row in await tx.fetch(SQL["compared_best_among"], {**params, "runs": scope})]
    return await _best(tx, request, params)


async def _best(tx: Transaction, request: pb.CompareRunsRequest, params: dict[str, Any]) -> list[int]:
    """By a walk over the figures from the best on, until enough runs are found and all whose figure equals the last one's."""
    text = SQL["compared_best_of_pipeline" if request.pipeline_name else "compared_best"]
    text = text.replace("/*direction*/ DESC", "ASC" if request.ascending else "DESC")
    limit = 4 * params["most"]
    while True:
        rows = await tx.fetch(text, {**params, "limit": limit})
        order = best_of(rows, params["sign"])
        last = params["most"] - 1
        if len(rows) < limit or (
            len(order) > last and (order[last][0] > params["sign"] * rows[-1][0] or limit >= TIES)
        ):
            return [run for _, run in order[: params["most"]]]
        limit *= 4


def best_of(rows: Sequence[Row], sign: float) -> list[tuple[float, int]]:
    """Runs with their best figures, the best first; of equal ones the newest."""
    best: dict[int, float] = {}
    for value, run in rows:
        best[run] = max(best.get(run, sign * value), sign * value)
    return sorted(((value, run) for run, value in best.items()), reverse=True)


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
