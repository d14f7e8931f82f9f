"""List requests: page size, page token, sort order and filter of KFP's API to a keyset page of ours, and back.

Pure. Called by the handlers. A page token is opaque to clients; it carries sort order and filter, so that it works alone.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import unquote_plus

from headrace_apiserver.gateway.json_rules import json_to_tree, tree_to_message
from headrace_protos.kfp.v2beta1 import filter_pb2
from headrace_protos.v1 import run_query_pb2
from headrace_servicekit.errors import Reason, ServiceError

DEFAULT_PAGE: Final = 20
LARGEST_PAGE: Final = 200


class ListRequest(Protocol):
    """What KFP's list requests have in common."""

    page_token: str
    page_size: int
    sort_by: str
    filter: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A resource's keys: public name → the name that persistence knows. `filters` may be compared for equality today."""

    kind: str
    keys: Mapping[str, str]
    filters: frozenset[str]
    later: frozenset[str] = frozenset()


def _keys(identity: str, *others: str, **aliases: str) -> dict[str, str]:
    return {"id": identity, identity: identity, **{key: key for key in others}, **aliases}


EXPERIMENTS: Final = Listed(
    "experiments",
    _keys("experiment_id", "display_name", "created_at", "last_run_created_at", "description", "namespace", "storage_state",
          name="display_name"),
    filters=frozenset({"display_name", "experiment_id", "storage_state"}),
)  # fmt: skip
PIPELINES: Final = Listed(
    "pipelines",
    _keys("pipeline_id", "name", "display_name", "created_at", "description", "namespace"),
    filters=frozenset({"name", "display_name", "pipeline_id"}),
)
VERSIONS: Final = Listed(
    "pipeline versions",
    _keys("pipeline_version_id", "name", "display_name", "created_at", "description"),
    filters=frozenset({"name", "display_name", "pipeline_version_id"}),
    later=frozenset({"status", "pipeline_spec"}),
)
RUNS: Final = Listed(
    "runs",
    _keys(
        "run_id", "display_name", "created_at", "finished_at", "scheduled_at", "description", "storage_state", "state",
        "experiment_id", name="display_name", status="state",
    ),
    filters=frozenset({"display_name", "run_id", "storage_state", "state", "experiment_id"}),
    later=frozenset({"namespace", "state_history", "runtime_details", "recurring_run_id"}),
)  # fmt: skip


def page_of(request: ListRequest, listed: Listed) -> run_query_pb2.Page:
    """The page that a request asks for."""
    field, descending = _sort(request.sort_by, listed)
    predicates = _predicates(request.filter, listed)
    page = run_query_pb2.Page(size=_size(request.page_size), sort_field=field, descending=descending)
    page.predicates.extend(predicates)
    if request.page_token:
        _apply_token(page, request, listed)
    return page


def token_of(page: run_query_pb2.Page, following: run_query_pb2.NextPage, listed: Listed) -> str:
    """The token of the page after PAGE; empty on the last one."""
    if not following.first_id:
        return ""
    tree = {
        "k": listed.kind,
        "s": page.sort_field,
        "d": page.descending,
        "v": following.first_value,
        "i": following.first_id,
        "f": [[predicate.operation, predicate.field, list(predicate.values)] for predicate in page.predicates],
    }
    return base64.b64encode(json.dumps(tree, separators=(",", ":")).encode()).decode()


def _size(asked: int) -> int:
    if asked < 0:
        raise _invalid(f"page_size is {asked}; it cannot be negative")
    return min(asked or DEFAULT_PAGE, LARGEST_PAGE)


def _sort(text: str, listed: Listed) -> tuple[str, bool]:
    """KFP lower-cases the text; "" is created_at, ascending."""
    words = text.lower().split()
    if not words:
        return "created_at", False
    if len(words) > 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
        raise _invalid(f'sort_by is "{text}"; expected a field, or a field and asc or desc, such as "created_at desc"')
    return _known(words[0], listed, "sorting on"), words[-1] == "desc"


def _known(key: str, listed: Listed, use: str) -> str:
    if key in listed.keys:
        return listed.keys[key]
    if key in listed.later or key.startswith(("tags.", "metric:")):
        raise ServiceError(Reason.NOT_IMPLEMENTED, f'{use} "{key}" of {listed.kind} is not built yet')
    raise _invalid(
        f'no support for {use} unrecognized field "{key}" of {listed.kind}; use one of {", ".join(listed.keys)}'
    )


def _predicates(text: str, listed: Listed) -> list[run_query_pb2.Predicate]:
    if not text.strip():
        return []
    # Some clients encode the filter twice; text that is JSON already must not be decoded again, or "a+b" becomes "a b".
    plain = text if text.lstrip().startswith("{") else unquote_plus(text)
    asked = filter_pb2.Filter()
    try:
        tree_to_message(json_to_tree(plain.encode("utf-8", "surrogatepass")), asked)
    except ValueError as wrong:
        raise _invalid(f"filter is not a Filter message as JSON: {wrong}") from None
    return [_predicate(predicate, listed) for predicate in asked.predicates]


def _predicate(asked: filter_pb2.Predicate, listed: Listed) -> run_query_pb2.Predicate:
    kind = asked.WhichOneof("value")
    if not asked.key:
        raise _invalid("filter: a predicate has no key")
    key = _known(asked.key.lower(), listed, "filtering on")
    if kind is None:
        raise _invalid(f'filter: the predicate on "{asked.key}" has no value')
    if asked.operation not in filter_pb2.Predicate.Operation.values() or not asked.operation:
        raise _invalid(f'filter: the predicate on "{asked.key}" has no operation that exists')
    name = filter_pb2.Predicate.Operation.Name(asked.operation)
    _check_shape(name, kind)
    if asked.operation != filter_pb2.Predicate.EQUALS or key not in listed.filters:
        can = ", ".join(sorted(listed.filters))
        raise ServiceError(
            Reason.NOT_IMPLEMENTED,
            f'filter: {name} on "{asked.key}" is not built yet; EQUALS works on {can}',
        )
    if kind != "string_value":
        raise _invalid(f'filter: "{asked.key}" is text; give string_value')
    if "\0" in asked.string_value:
        raise _invalid(f'filter: the value of "{asked.key}" contains a NUL character')
    return run_query_pb2.Predicate(operation=run_query_pb2.EQUALS, field=key, values=[asked.string_value])


def _check_shape(operation: str, kind: str) -> None:
    is_list = kind.endswith("_values")
    if operation == "IN" and not is_list:
        raise _invalid(f"filter: cannot use IN operator with scalar type {kind.removesuffix('_value')}")
    if operation != "IN" and is_list:
        raise _invalid(f"filter: cannot use scalar operator {operation} with a list of values")
    if operation == "IS_SUBSTRING" and kind != "string_value":
        raise _invalid("filter: IS_SUBSTRING needs string_value")


def _apply_token(page: run_query_pb2.Page, request: ListRequest, listed: Listed) -> None:
    """What is sent beside the token must be what the token says."""
    try:
        tree: Any = json.loads(base64.b64decode(request.page_token, validate=True))
        token = run_query_pb2.Page(
            size=page.size,
            sort_field=tree["s"],
            descending=tree["d"],
            first_value=tree["v"],
            first_id=tree["i"],
            predicates=[run_query_pb2.Predicate(operation=o, field=f, values=v) for o, f, v in tree["f"]],
        )
        kind = tree["k"]
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError):
        raise _invalid("Invalid page token: use next_page_token of the answer before, unchanged") from None
    same_sort = (page.sort_field, page.descending) == (token.sort_field, token.descending)
    same_filter = list(page.predicates) == list(token.predicates)
    if kind != listed.kind or (request.sort_by and not same_sort) or (request.filter and not same_filter):
        raise _invalid("Invalid page token: it was made for another list, sort_by or filter")
    known = token.sort_field in listed.keys.values() and all(p.field in listed.filters for p in token.predicates)
    if not known or "\0" in token.first_value + token.first_id:
        raise _invalid("Invalid page token: use next_page_token of the answer before, unchanged")
    page.CopyFrom(token)


def _invalid(message: str) -> ServiceError:
    return ServiceError(Reason.INVALID_INPUT, message)
