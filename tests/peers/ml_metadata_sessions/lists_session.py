"""Lists: order, limit, pages; filters over attributes, properties, contexts, events; what is wrong with them."""

from __future__ import annotations

from typing import Any

from filters import FILTERS, WRONG
from making import event, node, type_of
from ml_metadata import ListOptions, OrderByField
from ml_metadata.proto import metadata_store_pb2 as ms
from ml_metadata.proto import metadata_store_service_pb2 as mss

KINDS = ("artifact", "execution", "context")
TITLES = {"artifact": "Artifact", "execution": "Execution", "context": "Context"}
ONLY = "type = '{} listed' AND ({})"  # the sessions before left nodes too


def run(store: Any) -> None:
    ids = {kind: made(store, kind) for kind in KINDS}
    connected(store, ids)
    for kind in KINDS:
        ordered(store, kind)
        paged(store, kind)
        within(store, kind, ids)
        for query in FILTERS[kind]:
            filtered(store, kind, query, ids)
        for query in WRONG[kind]:
            method(store, "get_{}s", kind)(list_options=ListOptions(filter_query=query), note=query)
        wrong_options(store, kind)


def method(store: Any, word: str, kind: str) -> Any:
    return getattr(store, word.format(kind))


def names(ids: dict[str, list[int]]) -> dict[str, int]:
    return {f"{kind}{n}": number for kind, numbers in ids.items() for n, number in enumerate(numbers)}


def made(store: Any, kind: str) -> list[int]:
    declared = {"span": ms.INT, "accuracy": ms.DOUBLE, "label": ms.STRING, "done": ms.BOOLEAN}
    type_id = method(store, "put_{}_type", kind)(type_of(kind, f"{kind} listed", **declared), kind=f"{kind} type")
    nodes = []
    for n in range(12):
        properties = {"span": n, "accuracy": n / 4, "label": f"label {n % 3}", "done": n % 2 == 0}
        custom = {"my note": f'it\'s "{n}"', "n": n % 5, "score": -n / 8, **({"rare": True} if n == 7 else {})}
        one = node(kind, type_id, name=f"{kind} number {n}", properties=properties if n != 11 else {}, custom=custom)
        if n % 4 == 1:
            one.external_id = f"{kind} external {n}"
        if kind == "artifact":
            one.uri = f"store://bucket/{n % 4}/A_%b"
            if n % 3:
                one.state = [ms.Artifact.PENDING, ms.Artifact.LIVE][n % 2]
        if kind == "execution" and n % 3:
            one.last_known_state = [ms.Execution.RUNNING, ms.Execution.COMPLETE][n % 2]
        nodes.append(one)
    return list(method(store, "put_{}s", kind)(nodes, kind=kind))


def connected(store: Any, ids: dict[str, list[int]]) -> None:
    a, e, c = ids["artifact"], ids["execution"], ids["context"]
    store.put_events([event(e[0], a[0], ms.Event.INPUT, at=1000), event(e[0], a[1], ms.Event.OUTPUT, at=2000)])
    store.put_events([event(e[1], a[1], ms.Event.INPUT, at=3000), event(e[1], a[2], ms.Event.DECLARED_OUTPUT, at=4000)])
    store.put_events([event(e[2], a[2], ms.Event.INTERNAL_INPUT), event(e[2], a[2], ms.Event.OUTPUT)])
    attributions = [ms.Attribution(context_id=c[n % 2], artifact_id=a[n]) for n in range(6)]
    attributions += [ms.Attribution(context_id=c[2], artifact_id=a[n]) for n in (0, 1)]
    associations = [ms.Association(context_id=c[n % 2], execution_id=e[n]) for n in range(4)]
    store.put_attributions_and_associations(attributions, associations)
    store.put_parent_contexts([ms.ParentContext(parent_id=c[0], child_id=c[n]) for n in (1, 2, 3)])
    store.put_parent_contexts([ms.ParentContext(parent_id=c[1], child_id=c[3])])


def ordered(store: Any, kind: str) -> None:
    get, only = method(store, "get_{}s", kind), ONLY.format(kind, "id > 0")
    for order in OrderByField:
        for rising in (True, False):
            for limit in (None, 1, 5, 12, 100):
                options = ListOptions(limit=limit, order_by=order, is_asc=rising, filter_query=only)
                found = get(list_options=options, note=f"{order.name} {rising} {limit}")
                store.same("names in order", [one.name for one in found])
    get(list_options=ListOptions(limit=3))


def paged(store: Any, kind: str) -> None:
    """Pages of five, by the rpc itself, because the client walks them."""
    for field in ("CREATE_TIME", "ID"):
        for rising in (True, False):
            pages(store, kind, field, rising=rising)


def pages(store: Any, kind: str, field: str, *, rising: bool) -> None:
    plural, following, seen = f"{TITLES[kind]}s", "", []
    for number in range(9):
        request = getattr(mss, f"Get{plural}Request")()
        request.options.max_result_size = 5
        request.options.order_by_field.field = ms.ListOperationOptions.OrderByField.Field.Value(field)
        request.options.order_by_field.is_asc = rising
        request.options.filter_query = ONLY.format(kind, "id > 0")
        request.options.next_page_token = following
        response = store.raw(
            f"Get{plural}", request, getattr(mss, f"Get{plural}Response")(), note=f"{field} {rising} page {number}"
        )
        seen += [one.name for one in getattr(response, f"{kind}s")]
        following = response.next_page_token
        if not following:
            break
    store.same(f"{kind}s over pages by {field} {rising}", seen)


def within(store: Any, kind: str, ids: dict[str, list[int]]) -> None:
    if kind == "context":
        return
    get = method(store, "get_{}s_by_context", kind)
    for context in ids["context"][:4]:
        get(context, note="all")
    method(store, "get_{}s", kind)(
        list_options=ListOptions(filter_query=f"contexts_a.id = {ids['context'][0]}"), note="by filter"
    )
    plural = f"{TITLES[kind]}s"
    for query in ("", f"name LIKE '{kind} number %'", "id < 0"):
        for limit in (1, 2, 100):
            request = getattr(mss, f"Get{plural}ByContextRequest")(context_id=ids["context"][0])
            request.options.max_result_size = limit
            request.options.filter_query = query
            store.raw(
                f"Get{plural}ByContext",
                request,
                getattr(mss, f"Get{plural}ByContextResponse")(),
                note=f"{query} {limit}",
            )


def filtered(store: Any, kind: str, query: str, ids: dict[str, list[int]]) -> None:
    whole = ONLY.format(kind, query.format(**names(ids)))
    found = method(store, "get_{}s", kind)(list_options=ListOptions(filter_query=whole), note=query)
    store.same(f"found by {query}", None if found is None else [one.name for one in found])


def wrong_options(store: Any, kind: str) -> None:
    get, plural = method(store, "get_{}s", kind), f"{TITLES[kind]}s"
    get(list_options=ListOptions(limit=0))
    get(list_options=ListOptions(limit=-1))

    def ask(note: str, **options: Any) -> Any:
        request = getattr(mss, f"Get{plural}Request")()
        request.options.CopyFrom(ms.ListOperationOptions(**options))
        return store.raw(f"Get{plural}", request, getattr(mss, f"Get{plural}Response")(), note=note)

    ask("max_result_size 0", max_result_size=0)
    ask("max_result_size below 0", max_result_size=-5)
    ask("no field of order", order_by_field={"field": 0})
    ask("a token that is none", next_page_token="not a token")
    first = ask("a page", max_result_size=2)
    falling = {"field": 3, "is_asc": False}
    ask("a token of another order", max_result_size=2, next_page_token=first.next_page_token, order_by_field=falling)
    request = getattr(mss, f"Get{plural}ByTypeRequest")(type_name=f"{kind} listed")
    request.options.max_result_size = 3
    request.options.order_by_field.is_asc = False
    response = getattr(mss, f"Get{plural}ByTypeResponse")()
    store.raw(f"Get{plural}ByType", request, response, note="of a type, with options")
    request.type_name = "not there"
    store.raw(f"Get{plural}ByType", request, response, note="of no type, with options")
