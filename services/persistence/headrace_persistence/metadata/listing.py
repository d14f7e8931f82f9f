"""List options → one query: order, filter, page. Pure; a page token is a ListOperationNextPageToken in URL-safe base64."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from google.protobuf.message import DecodeError

from headrace_persistence.metadata.filtering import Probe, condition
from headrace_persistence.metadata.kinds import Kind
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
    """Which nodes are listed: a condition in SQL that begins with AND, its parameters, and a query for the same ids."""

    text: str = ""
    params: Mapping[str, Any] | None = None
    ids: str = ""


def asked(
    kind: Kind, options: ms.ListOperationOptions | None, only: Only | None = None, most: int | None = None
) -> Asked:
    """The query for OPTIONS (None: everything, up to MOST) of the nodes that ONLY names."""
    only = only or Only()
    params: dict[str, Any] = {"kind": kind.number, "limit": None, **(only.params or {})}
    if options is None:
        text = _text(kind, "n.id", "ASC", only.text)
        return Asked(text, {**params, "limit": most}, None, ms.ListOperationOptions())
    if options.max_result_size <= 0:
        said = f"max_result_size is {options.max_result_size}; it must be from 1 to {LARGEST}"
        raise ServiceError(Reason.INVALID_INPUT, said)
    sort = _SORTS.get(options.order_by_field.field)
    if sort is None:
        raise ServiceError(
            Reason.INVALID_INPUT, "order_by_field is unspecified: use CREATE_TIME, LAST_UPDATE_TIME or ID"
        )
    size = min(options.max_result_size, LARGEST)
    fits = condition(kind, options.filter_query)
    where = only.text + fits.text
    params |= {**fits.params, "limit": size + 1}
    if options.next_page_token:
        start = _decoded(options)
        params |= {"after": start.field_offset, "after_id": start.id_offset}
        than = ">" if options.order_by_field.is_asc else "<"
        where += f" AND ({sort}, n.id) {than} (%(after)s::bigint, %(after_id)s::bigint)"
    direction = "ASC" if options.order_by_field.is_asc else "DESC"
    return Asked(_text(kind, sort, direction, where), params, size, options, fits.probes)


def among(only: Only | None, ids: Sequence[int]) -> Only:
    """ONLY, and of these ids."""
    text, params = (only.text, only.params or {}) if only else ("", {})
    return Only(f"{text} AND n.id = ANY(%(among)s::bigint[])", {**params, "among": list(ids)})


def filtered(kind: Kind, query: str, only: Only) -> Asked:
    """All of the nodes that ONLY names which fit QUERY."""
    fits = condition(kind, query)
    return asked(kind, None, Only(only.text + fits.text, {**(only.params or {}), **fits.params}))


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


def _text(kind: Kind, sort: str, direction: str, where: str) -> LiteralString:
    """Each source in its own order and limit, so that each can walk its own index; then the best of all."""
    one: str = SQL["list_metadata_nodes"]
    one = re.sub(r"/\*sort\*/ \S+", lambda _: sort, one)
    one = re.sub(r"/\*direction\*/ ASC", direction, one).replace("/*where*/", where)
    parts = " UNION ALL ".join(
        f"({one.replace('platform.seen_nodes', f'platform.{name}', 1)})" for name in kind.sources
    )
    order = f"ORDER BY place {direction}, id {direction} LIMIT %(limit)s"
    return f"SELECT id, place FROM ({parts}) AS found {order}"  # noqa: S608  # fragments of ours; every value is a parameter
