"""List options → one query: order, filter, page. Pure; a page token is a ListOperationNextPageToken in URL-safe base64."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString

from google.protobuf.message import DecodeError

from headrace_persistence.metadata.filtering import condition
from headrace_persistence.metadata.kinds import UPDATED, Kind
from headrace_persistence.metadata.probing import Probe
from headrace_persistence.queries import SQL
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_servicekit.errors import Reason, ServiceError

LARGEST: Final = 100  # nodes of a page, as in the official server
_FIELD: Final = ms.ListOperationOptions.OrderByField
_SORTS: Final[Mapping[int, str]] = {
    _FIELD.ID: "n.id",
    _FIELD.CREATE_TIME: "n.created_ms",
    _FIELD.LAST_UPDATE_TIME: "n.updated_ms",
}
_CHANGED: Final = " JOIN platform.metadata_changes m ON m.kind = n.kind AND m.node = n.id"
_UNCHANGED: Final = (
    " AND NOT EXISTS (SELECT FROM platform.metadata_changes m WHERE m.kind = n.kind AND m.node = n.id OFFSET 0)"
)
_OPEN: Final = (
    " AND n.id = ANY(ARRAY(SELECT t.id FROM platform.runs r CROSS JOIN LATERAL"
    " (SELECT t.id FROM platform.tasks t WHERE t.run = r.id AND t.finished_at_us = 0 OFFSET 0) AS t WHERE r.finished_at_us = 0))"
)
# The ways to tasks but for those that have ended; a run ends after all of its tasks.
_OPEN_TASKS: Final = (("n.updated_ms", "", _UNCHANGED + _OPEN), ("n.updated_ms", _CHANGED, ""))


@dataclass(frozen=True, slots=True)
class Asked:
    """One query for the ids of a page and one more; without options, for all."""

    text: LiteralString
    params: dict[str, Any]
    size: int | None
    options: ms.ListOperationOptions
    probes: tuple[Probe, ...] = ()


@dataclass(frozen=True, slots=True)
class Only:
    """Which nodes are listed: a condition in SQL that begins with AND, its parameters, a query for the same ids, and conditions
    for the views that the nodes come from.
    """

    text: str = ""
    params: Mapping[str, Any] | None = None
    ids: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)


def asked(
    kind: Kind,
    options: ms.ListOperationOptions | None,
    only: Only | None = None,
    most: int | None = None,
    known: frozenset[str] = frozenset(),
    by: Probe | None = None,
) -> Asked:
    """The query for OPTIONS (None: everything, up to MOST) of the nodes that ONLY names. KNOWN: what is connected with the nodes
    and need not be asked for, as ONLY has the ids of all that fit it. BY: a property of theirs, by way of which they are walked.
    """
    only = only or Only()
    params: dict[str, Any] = {"kind": kind.number, "limit": None, **(only.params or {})}
    if options is None:
        text = _text(kind, "n.id", "ASC", only.text, only)
        return Asked(text, {**params, "limit": most}, None, ms.ListOperationOptions())
    sort = _sort(options)
    size = min(options.max_result_size, LARGEST)
    fits = condition(kind, options.filter_query)
    where = only.text + fits.but(known)
    direction, than = ("ASC", ">") if options.order_by_field.is_asc else ("DESC", "<")
    params |= {**fits.params, "limit": size + 1}
    if options.next_page_token:
        start = _decoded(options)
        params |= {"after": start.field_offset, "after_id": start.id_offset}
        where += f" AND (/*place*/, n.id) {than} (%(after)s::bigint, %(after_id)s::bigint)"
    text = _text(kind, sort, direction, where, only) if by is None else _walk(by, direction, where)
    return Asked(text, params | (by.params if by else {}), size, options, fits.probes)


def _sort(options: ms.ListOperationOptions) -> str:
    """The order's column; INVALID_ARGUMENT where the options make no page."""
    if options.max_result_size <= 0:
        said = f"max_result_size is {options.max_result_size}; it must be from 1 to {LARGEST}"
        raise ServiceError(Reason.INVALID_INPUT, said)
    sort = _SORTS.get(options.order_by_field.field)
    if sort is None:
        raise ServiceError(
            Reason.INVALID_INPUT, "order_by_field is unspecified: use CREATE_TIME, LAST_UPDATE_TIME or ID"
        )
    return sort


def walkable(options: ms.ListOperationOptions | None, only: Only | None) -> bool:
    """Whether a property's rows have the order that is asked for, and the nodes come from no view of their own."""
    return options is not None and options.order_by_field.field == _FIELD.ID and not (only and only.sources)


def among(only: Only | None, ids: Sequence[int]) -> Only:
    """ONLY, and of these ids."""
    only = only or Only()
    params = {**(only.params or {}), "among": list(ids)}
    own = "SELECT unnest(%(among)s::bigint[])"
    return Only(f"{only.text} AND n.id = ANY(%(among)s::bigint[])", params, own, only.sources)


def filtered(kind: Kind, query: str, only: Only) -> Asked:
    """All of the nodes that ONLY names which fit QUERY."""
    fits = condition(kind, query)
    return asked(kind, None, Only(only.text + fits.but(), {**(only.params or {}), **fits.params}))


def token(options: ms.ListOperationOptions, place: int, last: int) -> str:
    """Where the page after the node LAST begins, which lies at PLACE in the order."""
    told = ms.ListOperationNextPageToken(id_offset=last, field_offset=place)
    told.set_options.CopyFrom(options)
    told.set_options.ClearField("next_page_token")
    return base64.urlsafe_b64encode(told.SerializeToString()).decode()


def _decoded(options: ms.ListOperationOptions) -> ms.ListOperationNextPageToken:
    try:
        raw = base64.b64decode(options.next_page_token, altchars=b"-_", validate=True)
        start = ms.ListOperationNextPageToken.FromString(raw)
    except (binascii.Error, DecodeError, ValueError):
        raise ServiceError(Reason.INVALID_INPUT, "next_page_token is none of ours; begin with the first page") from None
    was, now = start.set_options.order_by_field, options.order_by_field
    if (was.field, was.is_asc) != (now.field, now.is_asc) or start.set_options.filter_query != options.filter_query:
        said = "next_page_token comes from a list with another order or filter; give the same ones for every page"
        raise ServiceError(Reason.INVALID_INPUT, said)
    return start


def _text(kind: Kind, sort: str, direction: str, where: str, only: Only) -> LiteralString:
    """Each source in its own order and limit, so that each can walk its own index; then the best of all."""
    parts: list[str] = []
    for name in kind.sources:
        ended = name == "seen_tasks" and sort == _SORTS[_FIELD.LAST_UPDATE_TIME] and not (only.ids or only.sources)
        if ended:  # of many tasks; a few are sorted
            parts.append(f"({_ends(direction, where)})")
        for place, changed, more in _OPEN_TASKS if ended else _ways(name, sort):
            one: str = SQL["list_metadata_nodes"]
            one = one.replace("/*sort*/ n.id", place)
            one = one.replace("/*where*/", f"{only.sources.get(name, '')}{where}{more}".replace("/*place*/", place))
            one = one.replace("/*direction*/ ASC", direction)
            parts.append(f"({one.replace('platform.seen_nodes n', f'platform.{name} n{changed}', 1)})")
    order = f"ORDER BY place {direction}, id {direction} LIMIT %(limit)s"
    return f"SELECT id, place FROM ({' UNION ALL '.join(parts)}) AS found {order}"  # noqa: S608  # fragments of ours; every value is a parameter


def _walk(by: Probe, direction: str, where: str) -> LiteralString:
    text = SQL["walk_metadata_property"].replace("/*where*/", by.walk + where.replace("/*place*/", "w.node"))
    return text.replace("/*direction*/ ASC", direction)


def _ends(direction: str, where: str) -> LiteralString:
    text = SQL["walk_task_ends"].replace("/*where*/", where.replace("/*place*/, n.id", "e.ended_ms, e.task"))
    return text.replace("/*direction*/ ASC", direction)


def _ways(source: str, sort: str) -> Sequence[tuple[str, str, str]]:
    """How a view is walked in an order: the place of a node, what is joined, and what must be true. The update of what runs made
    comes from their own rows, or from people: apart, each has an index.
    """
    if sort != _SORTS[_FIELD.LAST_UPDATE_TIME] or source not in UPDATED:
        return [(sort, "", "")]
    changed = "m.updated_ms" if UPDATED[source] == "n.created_ms" else sort
    return [(UPDATED[source], "", _UNCHANGED), (changed, _CHANGED, "")]
