"""Types: made, found, evolved, inherited; of all three kinds."""

from __future__ import annotations

from typing import Any

from making import type_of
from ml_metadata.proto import metadata_store_pb2 as ms
from ml_metadata.proto import metadata_store_service_pb2 as mss

KINDS = ("artifact", "execution", "context")
BASES = {"artifact": ms.ArtifactType.DATASET, "execution": ms.ExecutionType.TRAIN}
OTHERS = {"artifact": ms.ArtifactType.MODEL, "execution": ms.ExecutionType.EVALUATE}


def run(store: Any) -> None:
    for kind in KINDS:
        empty(store, kind)
        made(store, kind)
        evolved(store, kind)
        found(store, kind)
        refused(store, kind)
    for kind in BASES:
        inherited(store, kind)
    structured(store)
    several(store)


def call(store: Any, word: str, kind: str) -> Any:
    return getattr(store, word.format(kind))


def empty(store: Any, kind: str) -> None:
    call(store, "get_{}_types", kind)(note="none yet")
    call(store, "get_{}_type", kind)("not there")
    call(store, "get_{}_types_by_id", kind)([1 << 40])
    call(store, "get_{}_types_by_external_ids", kind)(["not there"])


def made(store: Any, kind: str) -> None:
    put = call(store, "put_{}_type", kind)
    one = type_of(kind, f"{kind}_plain", a=ms.INT, b=ms.STRING, c=ms.DOUBLE)
    put(one, kind=f"{kind} type")
    put(one, kind=f"{kind} type", note="again")
    put(type_of(kind, f"{kind}_plain", version="2", a=ms.INT), kind=f"{kind} type", note="another version")
    put(type_of(kind, f"{kind}_known", external_id=f"{kind} out there", s=ms.STRUCT), kind=f"{kind} type")
    put(
        type_of(kind, f"{kind}_all", i=ms.INT, d=ms.DOUBLE, s=ms.STRING, t=ms.STRUCT, p=ms.PROTO, b=ms.BOOLEAN),
        kind=f"{kind} type",
    )
    described = type_of(kind, f"{kind}_described")
    described.description = "what it is for"
    put(described, kind=f"{kind} type")
    put(type_of(kind, f"{kind}_ünïcode ✓", größe=ms.INT), kind=f"{kind} type")


def evolved(store: Any, kind: str) -> None:
    put = call(store, "put_{}_type", kind)
    name = f"{kind}_evolving"
    put(type_of(kind, name, a=ms.INT), kind=f"{kind} type")
    put(type_of(kind, name, a=ms.INT, b=ms.INT), note="wider, not allowed")
    put(type_of(kind, name, a=ms.INT, b=ms.INT), can_add_fields=True, kind=f"{kind} type")
    put(type_of(kind, name, a=ms.INT), note="narrower, not allowed")
    put(type_of(kind, name, a=ms.INT), can_omit_fields=True, kind=f"{kind} type")
    put(type_of(kind, name, b=ms.INT, c=ms.INT), can_add_fields=True, note="omits")
    put(type_of(kind, name, b=ms.INT, c=ms.INT), can_add_fields=True, can_omit_fields=True, kind=f"{kind} type")
    put(type_of(kind, name, a=ms.STRING), can_omit_fields=True, can_add_fields=True, note="another type of property")
    put(type_of(kind, name, external_id=f"{kind} later"), can_omit_fields=True, kind=f"{kind} type")
    call(store, "get_{}_type", kind)(name, note="after all")
    put(type_of(kind, name), can_omit_fields=True, kind=f"{kind} type", note="without external id")
    call(store, "get_{}_type", kind)(name, note="after that")


def found(store: Any, kind: str) -> None:
    get = call(store, "get_{}_type", kind)
    for name in (f"{kind}_plain", f"{kind}_known", f"{kind}_all", f"{kind}_described", f"{kind}_ünïcode ✓"):
        get(name)
    get(f"{kind}_plain", "2")
    get(f"{kind}_plain", "3", note="no such version")
    call(store, "get_{}_types", kind)()
    ids = [one.id for one in getattr(store.store, f"get_{kind}_types")() if not one.name.startswith("system.")]
    call(store, "get_{}_types_by_id", kind)(ids)
    call(store, "get_{}_types_by_id", kind)([*reversed(ids), 1 << 40])
    call(store, "get_{}_types_by_id", kind)([])
    call(store, "get_{}_types_by_external_ids", kind)([f"{kind} out there"])
    call(store, "get_{}_types_by_external_ids", kind)([f"{kind} out there", "not there"])
    call(store, "get_{}_types_by_external_ids", kind)([""])
    call(store, "get_{}_types_by_external_ids", kind)([])


def refused(store: Any, kind: str) -> None:
    put = call(store, "put_{}_type", kind)
    put(type_of(kind, ""), note="no name")
    put(type_of(kind, f"{kind}_unknown", a=ms.UNKNOWN), note="a property of no type")
    put(type_of(kind, f"{kind}_plain", a=ms.INT, b=ms.STRING, c=ms.DOUBLE, d=ms.UNKNOWN), can_add_fields=True)
    put(type_of(kind, f"{kind}_taken", external_id=f"{kind} out there"), note="external id is taken")
    call(store, "get_{}_type", kind)(f"{kind}_taken", note="was not made")
    request = getattr(mss, f"Put{kind.title()}TypeRequest")(all_fields_match=False)
    getattr(request, f"{kind}_type").CopyFrom(type_of(kind, f"{kind}_loose"))
    store.raw(
        f"Put{kind.title()}Type",
        request,
        getattr(mss, f"Put{kind.title()}TypeResponse")(),
        note="fields need not match",
    )


def inherited(store: Any, kind: str) -> None:
    put, get = call(store, "put_{}_type", kind), call(store, "get_{}_type", kind)
    put(type_of(kind, f"{kind}_heir", base=BASES[kind]), kind=f"{kind} type")
    get(f"{kind}_heir")
    put(type_of(kind, f"{kind}_heir", base=BASES[kind]), kind=f"{kind} type", note="again")
    put(type_of(kind, f"{kind}_heir"), kind=f"{kind} type", note="without saying so")
    get(f"{kind}_heir", note="still")
    put(type_of(kind, f"{kind}_heir", base=OTHERS[kind]), note="another base")
    put(type_of(kind, f"{kind}_heir", base=0), note="base taken away")
    put(
        type_of(kind, f"{kind}_plain", a=ms.INT, b=ms.STRING, c=ms.DOUBLE, base=BASES[kind]),
        kind=f"{kind} type",
        note="a base later",
    )
    get(f"{kind}_plain", note="with a base")
    call(store, "get_{}_types", kind)(note="with bases")
    put(type_of(kind, f"{kind}_new_heir", base=0), note="new, without base")
    ids = [one.id for one in getattr(store.store, f"get_{kind}_types")() if one.name == f"{kind}_heir"]
    call(store, "get_{}_types_by_id", kind)(ids, note="with bases")


def structured(store: Any) -> None:
    one = type_of("execution", "execution_structured")
    one.input_type.dict.properties["data"].simple.name = "artifact_plain"
    one.input_type.dict.none_type_not_required = True
    one.output_type.list.element.any.SetInParent()
    store.put_execution_type(one, kind="execution type")
    store.get_execution_type("execution_structured")


def several(store: Any) -> None:
    request = mss.PutTypesRequest(
        artifact_types=[type_of("artifact", "several_a", x=ms.INT), type_of("artifact", "several_b")],
        execution_types=[type_of("execution", "several_e")],
        context_types=[type_of("context", "several_c", y=ms.STRING)],
    )
    store.raw("PutTypes", request, mss.PutTypesResponse())
    store.raw("PutTypes", request, mss.PutTypesResponse(), note="again")
    request.artifact_types[0].properties["z"] = ms.INT
    store.raw("PutTypes", request, mss.PutTypesResponse(), note="wider, not allowed")
    request.can_add_fields = True
    store.raw("PutTypes", request, mss.PutTypesResponse(), note="wider")
    request.context_types.add()
    store.raw("PutTypes", request, mss.PutTypesResponse(), note="one has no name: none is changed")
    store.raw("PutTypes", mss.PutTypesRequest(), mss.PutTypesResponse(), note="none")
    for kind in KINDS:
        call(store, "get_{}_types", kind)(note="after several")
