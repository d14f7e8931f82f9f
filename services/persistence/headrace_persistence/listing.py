"""Keyset pages: from a Page message to one query, by tables of the fields that may be sorted and filtered on.

Pure. Only fragments of these tables and parameter names enter the SQL text; every value of a caller's is a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from headrace_persistence.queries import SQL
from headrace_protos.v1 import run_query_pb2 as rq
from headrace_servicekit.errors import Reason, ServiceError

Row = tuple[Any, ...]
DEFAULT_SIZE: Final = 20
LARGEST: Final = 1000
COUNTED: Final = 1_000  # what fits is counted up to there, as the queries have it
LED: Final = 200  # characters of a text that an index holds
OPERATORS: Final[Mapping[int, str]] = {
    rq.EQUALS: "=",
    rq.NOT_EQUALS: "<>",
    rq.GREATER_THAN: ">",
    rq.GREATER_THAN_EQUALS: ">=",
    rq.LESS_THAN: "<",
    rq.LESS_THAN_EQUALS: "<=",
}
RUN_STATES: Final = "(ARRAY['PENDING','RUNNING','CANCELING','SUCCEEDED','FAILED','CANCELED'])[r.shown_state]"
STORAGE_STATES: Final = "(ARRAY['AVAILABLE','ARCHIVED'])[{}.storage_state]"


@dataclass(frozen=True, slots=True)
class Listed:
    """A list: its query, its key, and its fields as SQL expressions; those of `numbers` are bigint, the others text.

    Of the texts in `led` an index holds the beginning: they are sorted by it, and found by it first; of those in `short`
    another index holds the ones that are no longer than that, whole.
    """

    query: str
    kind: str
    key: str
    fields: Mapping[str, str]
    numbers: frozenset[str] = frozenset()
    led: frozenset[str] = frozenset()
    short: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PageQuery:
    """One query and its parameters. `where`: what the caller demands, whatever the page."""

    text: LiteralString
    params: dict[str, Any]
    size: int
    where: LiteralString


def _times(alias: str, *names: str) -> dict[str, str]:
    return {name: f"{alias}.{name}_us" for name in names}


def _texts(alias: str, *names: str) -> dict[str, str]:
    return {name: f"{alias}.{name}" for name in names}


RUNS: Final = Listed(
    "list_runs",
    "runs",
    "r.run_id",
    {
        **_texts("r", "run_id", "display_name", "description", "namespace", "experiment_id", "pipeline_id"),
        **_texts("r", "pipeline_version_id", "pipeline_name", "recurring_run_id", "service_account"),
        **_times("r", "created_at", "scheduled_at", "started_at", "finished_at"),
        "id": "r.id",
        "name": "r.display_name",
        "state": RUN_STATES,
        "storage_state": STORAGE_STATES.format("r"),
    },
    frozenset({"id", "created_at", "scheduled_at", "started_at", "finished_at"}),
    frozenset({"name", "display_name", "pipeline_name"}),
    frozenset({"pipeline_name"}),
)
EXPERIMENTS: Final = Listed(
    "list_experiments",
    "experiments",
    "e.experiment_id",
    {
        **_texts("e", "experiment_id", "display_name", "description", "namespace"),
        **_times("e", "created_at", "last_run_created_at"),
        "name": "e.display_name",
        "storage_state": STORAGE_STATES.format("e"),
    },
    frozenset({"created_at", "last_run_created_at"}),
)
PIPELINES: Final = Listed(
    "list_pipelines",
    "pipelines",
    "p.pipeline_id",
    {
        **_texts("p", "pipeline_id", "name", "display_name", "description", "namespace"),
        **_times("p", "created_at"),
    },
    frozenset({"created_at"}),
)
VERSIONS: Final = Listed(
    "list_versions",
    "pipeline versions",
    "v.pipeline_version_id",
    {
        **_texts("v", "pipeline_version_id", "pipeline_id", "name", "display_name", "description"),
        **_times("v", "created_at"),
    },
    frozenset({"created_at"}),
)


def page_query(listed: Listed, page: rq.Page, only: Mapping[str, str]) -> PageQuery:
    """The query for PAGE; ONLY has fields that must equal a text, where the text is not empty."""
    size = min(page.size or DEFAULT_SIZE, LARGEST)
    if page.size < 0:
        raise _invalid(f"page size is {page.size}; it cannot be negative")
    params: dict[str, Any] = {"limit": size + 1}
    where = [_equals(listed, name, value, params) for name, value in only.items() if value]
    where += [_predicate(listed, one, params) for one in page.predicates]
    sort = page.sort_field or "created_at"
    expression = _sorted_by(listed, sort)
    start = ""
    if page.first_id:
        params["first_value"] = _value(listed, sort, page.first_value)
        params["first_id"] = _plain(page.first_id)
        than = "<=" if page.descending else ">="
        start = f" AND ({expression}, {listed.key}) {than} (%(first_value)s::{_type(listed, sort)}, %(first_id)s)"
    direction = "DESC" if page.descending else "ASC"
    text: str = SQL[listed.query]
    text = re.sub(r"/\*sort\*/.*", lambda _: f"({expression})", text)
    text = re.sub(r"/\*order\*/.*", lambda _: f"{expression} {direction}, {listed.key} {direction}", text)
    demanded = "".join(f" AND {one}" for one in where)
    text = text.replace("/*where*/", demanded).replace("/*from*/", start)
    return PageQuery(text, params, size, demanded)


def cut(rows: Sequence[Row], size: int) -> tuple[int, list[Row], rq.NextPage | None]:
    """Total, the page's rows without total, sort value and key, and where the next page starts."""
    total = int(rows[0][0]) if rows else 0
    found = [row for row in rows if row[2] is not None]  # the page may be empty, the total never is
    following = None
    if len(found) > size:
        following = rq.NextPage(first_value=found[size][1], first_id=found[size][2])
    return total, [row[3:] for row in found[:size]], following


def _predicate(listed: Listed, predicate: rq.Predicate, params: dict[str, Any]) -> str:
    expression = _expression(listed, predicate.field, "filter")
    name = f"p{len(params)}"
    values = [_value(listed, predicate.field, value) for value in predicate.values]
    type_ = _type(listed, predicate.field)
    if predicate.operation == rq.IN:
        params[name] = values
        return f"{expression} = ANY(%({name})s::{type_}[])"
    if len(values) != 1:
        raise _invalid(f"filter on {predicate.field}: one value is needed, {len(values)} were given")
    params[name] = values[0]
    if predicate.operation == rq.IS_SUBSTRING and type_ == "text":
        return f"strpos({expression}, %({name})s::text) > 0"
    if predicate.operation == rq.EQUALS and predicate.field in listed.led:
        led = f"left({expression}, {LED}) = left(%({name})s::text, {LED})"
        # A shorter text is all that there is; two conditions that say the same would spoil the planner's estimate.
        if len(str(values[0])) >= LED:
            return f"{led} AND {expression} = %({name})s::text"
        return (
            f"{expression} = %({name})s::text AND length({expression}) < {LED}"
            if predicate.field in listed.short
            else led
        )
    operator = OPERATORS.get(predicate.operation)
    if operator is None:
        raise _invalid(f"filter on {predicate.field}: this operation is not possible there")
    return f"{expression} {operator} %({name})s::{type_}"


def _equals(listed: Listed, field: str, value: str, params: dict[str, Any]) -> str:
    return _predicate(listed, rq.Predicate(operation=rq.EQUALS, field=field, values=[value]), params)


def _expression(listed: Listed, field: str, use: str) -> str:
    expression = listed.fields.get(field)
    if expression is None:
        raise _invalid(f"{use}: {listed.kind} have no field {field!r}; use one of {', '.join(sorted(listed.fields))}")
    return expression


def _sorted_by(listed: Listed, field: str) -> str:
    expression = _expression(listed, field, "sort")
    return f"left({expression}, {LED})" if field in listed.led else expression


def _type(listed: Listed, field: str) -> str:
    return "bigint" if field in listed.numbers else "text"


def _value(listed: Listed, field: str, text: str) -> str | int:
    if field in listed.numbers:
        try:
            return int(text)
        except ValueError:
            raise _invalid(f"{field}: {text!r} is no whole number") from None
    if field in ("state", "storage_state"):
        return text.upper().removeprefix("RUN_")
    return _plain(text)


def _plain(text: str) -> str:
    if "\0" in text:
        raise _invalid("a value holds a NUL character")
    return text


def _invalid(message: str) -> ServiceError:
    return ServiceError(Reason.INVALID_INPUT, message)
