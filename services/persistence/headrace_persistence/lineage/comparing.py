"""Runs side by side by figures in the metadata of what they put out: which runs, then their figures. Called by the handlers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from headrace_persistence.queries import SQL
from headrace_persistence.stores.texts import storable
from headrace_protos.v1 import lineage_pb2 as pb
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import Database, Row, Transaction

MOST: Final = 20
LARGEST: Final = 1_000
FIGURES: Final = 100_000  # in one answer
FEW: Final = 500  # runs of which each is looked at
PIPELINES: Final = 300  # of an experiment or a namespace, of which each one's figures are walked
TIES: Final = 20_000  # figures that are read at most to tell runs of equal ones apart


class Comparison:
    """`compare` is one read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def compare(self, request: pb.CompareRunsRequest) -> pb.CompareRunsResponse:
        """The runs in their order, each with its figures."""
        params = params_of(request)

        async def work(tx: Transaction) -> pb.CompareRunsResponse:
            if request.run_ids:
                refuse_absent([row[0] for row in await tx.fetch(SQL["absent_runs"], params)])
            order = await _order(tx, request, params)
            rows = {row[0]: row for row in await tx.fetch(SQL["compared_runs"], {"runs": order})}
            names = [storable(name) for name in request.metrics]
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
        "run_ids": [storable(one) for one in request.run_ids],
        "namespace": storable(request.namespace),
        "pipeline_name": storable(request.pipeline_name),
        "experiment_id": storable(request.experiment_id),
        "sort_by": storable(request.sort_by),
        "sign": -1.0 if request.ascending else 1.0,
        "most": request.most or max(MOST, len(request.run_ids)),
    }


def refuse_absent(run_ids: Sequence[str]) -> None:
    """A comparison that leaves one out would look whole. Raises ServiceError."""
    if run_ids:
        more = f", nor {len(run_ids) - 1:,} more of those that are named" if run_ids[1:] else ""
        raise ServiceError(Reason.NOT_FOUND, f"Run {run_ids[0]} not found{more}")


async def _order(tx: Transaction, request: pb.CompareRunsRequest, params: dict[str, Any]) -> list[int]:
    """The numbers of the runs."""
    if not request.sort_by:
        if not request.run_ids and not request.pipeline_name:
            return await _newest(tx, request, params)
        rows = await tx.fetch(SQL["compared_named" if request.run_ids else "compared_of_pipeline"], params)
        return [row[0] for row in rows]
    scope: list[int] | None = None
    if request.run_ids:
        scope = [row[0] for row in await tx.fetch(SQL["compared_named"], {**params, "most": LARGEST})]
    elif not request.pipeline_name and (request.experiment_id or request.namespace):
        found = await _newest(tx, request, {**params, "most": FEW + 1})
        scope = found if len(found) <= FEW else None
    if scope is not None:
        return [row[0] for row in await tx.fetch(SQL["compared_best_among"], {**params, "runs": scope})]
    return await _best(tx, request, params)


async def _newest(tx: Transaction, request: pb.CompareRunsRequest, params: dict[str, Any]) -> list[int]:
    """Of the experiment and the namespace, as far as they are named: other plans for each."""
    scope: LiteralString = " AND r.namespace = %(namespace)s" if request.namespace else ""
    scope += " AND r.experiment_id = %(experiment_id)s" if request.experiment_id else ""
    return [row[0] for row in await tx.fetch(SQL["compared_newest"].replace("/*scope*/", scope), params)]


async def _best(tx: Transaction, request: pb.CompareRunsRequest, params: dict[str, Any]) -> list[int]:
    """By a walk over the figures from the best on, until enough runs are found and all whose figure equals the last one's."""
    pipelines = await _pipelines(tx, request, params)
    text = SQL["compared_best"].replace("/*direction*/ DESC", "ASC" if request.ascending else "DESC")
    asked = {**params, "pipelines": pipelines or [], "all": pipelines is None}
    limit, last = 4 * params["most"], params["most"] - 1
    while True:
        rows = await tx.fetch(text, {**asked, "limit": limit})
        order = sorted(
            ((best, run) for run, best, *_ in rows if run is not None), reverse=True
        )  # of equal ones the newest
        worst, read = rows[0][2:] if rows else (0.0, 0)
        if read < limit or (len(order) > last and (order[last][0] > worst or limit >= TIES)):
            return [run for _, run in order[: params["most"]]]
        limit *= 4


async def _pipelines(tx: Transaction, request: pb.CompareRunsRequest, params: dict[str, Any]) -> list[int] | None:
    """The one that is named, or those that ran in the experiment or namespace; None where there are many, or all count."""
    if request.pipeline_name:
        query = "pipelines_named"
    elif request.experiment_id or request.namespace:
        query = "pipelines_in_experiment" if request.experiment_id else "pipelines_in_namespace"
    else:
        return None
    rows = await tx.fetch(SQL[query], {**params, "most": PIPELINES + 1})
    return [row[0] for row in rows] if len(rows) <= PIPELINES else None


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
