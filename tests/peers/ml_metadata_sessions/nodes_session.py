"""Artifacts, executions and contexts: made, changed as a whole and under masks, found by what they are known by, refused."""

from __future__ import annotations

from typing import Any

from google.protobuf import any_pb2, struct_pb2
from making import node, type_of
from ml_metadata.proto import metadata_store_pb2 as ms
from ml_metadata.proto import metadata_store_service_pb2 as mss

KINDS = ("artifact", "execution", "context")
STATES = {
    "artifact": ("state", ms.Artifact.LIVE, ms.Artifact.DELETED),
    "execution": ("last_known_state", ms.Execution.RUNNING, ms.Execution.COMPLETE),
}


def run(store: Any) -> None:
    for kind in KINDS:
        types = {name: put_type(store, kind, name) for name in ("rich", "bare")}
        made(store, kind, types)
        found(store, kind, types)
        changed(store, kind, types)
        masked(store, kind, types)
        refused(store, kind, types)
        wrong_properties(store, kind, types)
    optimistic(store)
    sized(store)


def call(store: Any, word: str, kind: str) -> Any:
    return getattr(store, word.format(kind))


def put_type(store: Any, kind: str, name: str) -> int:
    declared = {"i": ms.INT, "d": ms.DOUBLE, "s": ms.STRING, "t": ms.STRUCT, "p": ms.PROTO, "b": ms.BOOLEAN}
    one = type_of(kind, f"{kind} {name}", **(declared if name == "rich" else {}))
    return int(call(store, "put_{}_type", kind)(one, kind=f"{kind} type"))


def values() -> dict[str, Any]:
    return {
        "i": -(1 << 62),
        "d": 0.1,
        "s": "ünï\n'\"",
        "t": {"list": [1, None, {"deep": True}]},
        "p": struct_pb2.Value(),
        "b": False,
    }


def made(store: Any, kind: str, types: dict[str, int]) -> None:
    put = call(store, "put_{}s", kind)
    rich = node(
        kind,
        types["rich"],
        name=f"{kind} one",
        properties=values(),
        custom={f"own {name}": value for name, value in values().items()},
    )
    first = put([rich, node(kind, types["bare"], name=f"{kind} two")], kind=kind)
    call(store, "get_{}s_by_id", kind)(first)
    put([], kind=kind, note="none")
    known = node(kind, types["bare"], name=f"{kind} known", external_id=f"{kind} known elsewhere")
    number = put([known], kind=kind)
    call(store, "get_{}s_by_id", kind)(number)
    if kind != "context":
        unnamed = put([node(kind, types["bare"]), node(kind, types["bare"])], kind=kind, note="without names")
        call(store, "get_{}s_by_id", kind)(unnamed)
        field, state, _ = STATES[kind]
        with_state = put([node(kind, types["bare"], **{field: state})], kind=kind)
        call(store, "get_{}s_by_id", kind)(with_state)
    empty = node(
        kind, types["bare"], name=f"{kind} empty values", custom={"empty": "", "zero": 0, "nothing": 0.0, "no": {}}
    )
    call(store, "get_{}s_by_id", kind)(put([empty], kind=kind))
    if kind == "artifact":
        at = put([node(kind, types["bare"], uri=f"store://{n % 2}") for n in range(4)], kind=kind)
        store.get_artifacts_by_id(at)
        store.get_artifacts_by_uri("store://0")
        store.get_artifacts_by_uri("store://none")
        store.get_artifacts_by_uri("")
        store.get_artifacts_and_types_by_artifact_ids([*first, *at], note="and their types")


def found(store: Any, kind: str, types: dict[str, int]) -> None:
    by_id, by_type = call(store, "get_{}s_by_id", kind), call(store, "get_{}s_by_type", kind)
    by_name, known = call(store, "get_{}_by_type_and_name", kind), call(store, "get_{}s_by_external_ids", kind)
    call(store, "get_{}s", kind)(note="all so far")
    by_id([])
    by_id([1 << 40])
    one = getattr(store.store, f"get_{kind}_by_type_and_name")(f"{kind} rich", f"{kind} one")
    by_id([one.id, 1 << 40, one.id], note="twice, and one that is not there")
    by_type(f"{kind} rich")
    by_type(f"{kind} bare")
    by_type(f"{kind} rich", "3", note="no such version")
    by_type("not there")
    by_name(f"{kind} rich", f"{kind} one")
    by_name(f"{kind} rich", "not there")
    by_name("not there", f"{kind} one")
    by_name(f"{kind} rich", f"{kind} one", "3", note="no such version")
    known([f"{kind} known elsewhere"])
    known([f"{kind} known elsewhere", "not there"])
    known(["not there"])
    known([""])
    known([])


def changed(store: Any, kind: str, types: dict[str, int]) -> None:
    put, get = call(store, "put_{}s", kind), call(store, "get_{}s_by_id", kind)
    number = put(
        [node(kind, types["rich"], name=f"{kind} changing", properties={"i": 1, "s": "a"}, custom={"x": 1, "y": "b"})],
        kind=kind,
    )[0]
    before = getattr(store.store, f"get_{kind}s_by_id")([number])[0]
    put(
        [
            node(
                kind,
                None,
                id=number,
                name=f"{kind} changing",
                properties={"i": 2, "d": 0.5},
                custom={"x": "now text", "z": True},
            )
        ],
        kind=kind,
    )
    get([number], note="properties")
    after = getattr(store.store, f"get_{kind}s_by_id")([number])[0]
    store.same(f"{kind}: made when it was", after.create_time_since_epoch == before.create_time_since_epoch)
    store.same(f"{kind}: changed later", after.last_update_time_since_epoch >= before.last_update_time_since_epoch)
    put([after], kind=kind, note="as it is")
    again = getattr(store.store, f"get_{kind}s_by_id")([number])[0]
    store.same(f"{kind}: not changed", again.last_update_time_since_epoch == after.last_update_time_since_epoch)
    put([node(kind, types["rich"], id=number, name=f"{kind} renamed", external_id=f"{kind} has one now")], kind=kind)
    get([number], note="name, external id, no properties")
    put([node(kind, None, id=number, name=f"{kind} renamed")], kind=kind)
    get([number], note="no external id")
    if kind in STATES:
        field, one, other = STATES[kind]
        for state in (one, other):
            put([node(kind, None, id=number, **{field: state})], kind=kind)
            get([number], note="state")
        put([node(kind, None, id=number)], kind=kind)
        get([number], note="no state")
    if kind == "artifact":
        put([node(kind, None, id=number, uri="moved")], kind=kind)
        get([number], note="uri")
        put([node(kind, None, id=number)], kind=kind)
        get([number], note="no uri")


def masked(store: Any, kind: str, types: dict[str, int]) -> None:
    put, get = call(store, "put_{}s", kind), call(store, "get_{}s_by_id", kind)
    fields = {"artifact": {"uri": "here"}, "execution": {}, "context": {}}[kind]
    first = node(
        kind,
        types["rich"],
        name=f"{kind} masked",
        properties={"i": 1, "s": "a", "d": 0.5},
        custom={"x": 1, "y": 2, "z": 3},
        **fields,
    )
    number = put([first], kind=kind)[0]
    other = node(
        kind,
        types["rich"],
        id=number,
        name=f"{kind} mask",
        external_id=f"{kind} masked one",
        properties={"i": 7, "d": 1.5},
        custom={"x": 7, "w": 8},
        **({"uri": "there"} if fields else {}),
    )
    masks = (
        ["properties.i"], ["custom_properties.x"], ["custom_properties.w", "custom_properties.z"], ["external_id"],
        ["properties.s"], ["properties"], ["custom_properties"], ["uri"], ["name"],
        ["nonsense"], ["properties.i", "external_id", "uri"],
        ["properties.none_there"], ["state", "last_known_state"],
    )  # fmt: skip
    for mask in masks:
        put([other], mask, kind=kind, note=str(mask))
        get([number], note=str(mask))
    put([node(kind, types["bare"], name=f"{kind} new under mask", custom={"n": 1})], ["properties.i"], kind=kind)
    call(store, "get_{}_by_type_and_name", kind)(f"{kind} bare", f"{kind} new under mask")


def refused(store: Any, kind: str, types: dict[str, int]) -> None:
    put = call(store, "put_{}s", kind)
    put([node(kind, None, name=f"{kind} untyped")], note="no type")
    put([node(kind, 1 << 40, name=f"{kind} untyped")], note="no such type")
    put([node(kind, types["rich"], name=f"{kind} one")], note="name is taken")
    put([node(kind, types["bare"], name=f"{kind} one")], kind=kind, note="of another type it is not")
    put(
        [node(kind, types["bare"], name=f"{kind} other", external_id=f"{kind} known elsewhere")],
        note="external id is taken",
    )
    put([node(kind, types["bare"], id=1 << 40, name=f"{kind} nobody")], note="no such id")
    number = getattr(store.store, f"get_{kind}_by_type_and_name")(f"{kind} rich", f"{kind} one").id
    put([node(kind, types["bare"], id=number, name=f"{kind} one")], note="another type")
    both = [node(kind, types["bare"], name=f"{kind} half"), node(kind, types["bare"], name=f"{kind} half")]
    put(both, note="the second is refused: none is made")
    call(store, "get_{}_by_type_and_name", kind)(f"{kind} bare", f"{kind} half")
    if kind == "context":
        put([node(kind, types["bare"])], note="no name")
        put([node(kind, types["bare"], name="")], note="empty name")
        put([node(kind, None, id=number)], note="name taken away")


def wrong_properties(store: Any, kind: str, types: dict[str, int]) -> None:
    put = call(store, "put_{}s", kind)
    for name, value in (
        ("i", "text"),
        ("i", 1.5),
        ("i", True),
        ("d", 1),
        ("s", 1),
        ("b", 1),
        ("t", "text"),
        ("p", {"a": 1}),
    ):
        put([node(kind, types["rich"], name=f"{kind} wrong", properties={name: value})], note=f"{name} = {value!r}")
    put([node(kind, types["rich"], name=f"{kind} wrong", properties={"undeclared": 1})], note="undeclared")
    put([node(kind, types["bare"], name=f"{kind} wrong", properties={"i": 1})], note="declares none")
    valueless = node(kind, types["rich"], name=f"{kind} wrong")
    valueless.properties["i"].SetInParent()
    put([valueless], note="no value")
    call(store, "get_{}_by_type_and_name", kind)(f"{kind} rich", f"{kind} wrong", note="none was made")
    number = getattr(store.store, f"get_{kind}_by_type_and_name")(f"{kind} rich", f"{kind} one").id
    put([node(kind, None, id=number, name=f"{kind} one", properties={"i": "text"})], note="changed to a wrong one")
    put(
        [node(kind, None, id=number, name=f"{kind} one", properties={"i": 5, "s": 7})],
        ["properties.i"],
        kind=kind,
        note="the wrong one is masked out",
    )


def optimistic(store: Any) -> None:
    type_id = store.store.get_artifact_type("artifact bare").id
    number = store.put_artifacts([node("artifact", type_id, name="raced")], kind="artifact")[0]
    seen = store.store.get_artifacts_by_id([number])[0]

    def put(artifact: ms.Artifact, note: str) -> None:
        request = mss.PutArtifactsRequest(artifacts=[artifact], options={"abort_if_latest_updated_time_changed": True})
        store.raw("PutArtifacts", request, mss.PutArtifactsResponse(), note=note)

    seen.custom_properties["by"].string_value = "the first"
    put(seen, "nobody was faster")
    seen.custom_properties["by"].string_value = "the second"
    put(seen, "somebody was")
    store.get_artifacts_by_id([number])
    seen.ClearField("last_update_time_since_epoch")
    put(seen, "without a time")
    put(node("artifact", type_id, name="raced anew"), "a new one")
    put(node("artifact", type_id, id=1 << 40), "no such id")


def sized(store: Any) -> None:
    type_id = store.store.get_artifact_type("artifact bare").id
    long = "x" * 100_000
    number = store.put_artifacts(
        [node("artifact", type_id, name="long", uri=f"store://{long}", custom={"long": long})], kind="artifact"
    )[0]
    store.same("long texts", len(store.store.get_artifacts_by_id([number])[0].custom_properties["long"].string_value))
    many = {f"property {n}": n for n in range(300)}
    number = store.put_artifacts([node("artifact", type_id, name="many", custom=many)], kind="artifact")[0]
    store.get_artifacts_by_id([number])
    packed = any_pb2.Any()
    packed.Pack(struct_pb2.Value(string_value="in a message"))
    number = store.put_artifacts(
        [node("artifact", type_id, name="packed", custom={"p": struct_pb2.Value(string_value="s")})], kind="artifact"
    )[0]
    found = store.store.get_artifacts_by_id([number])[0].custom_properties["p"].proto_value
    store.same("a message in a property", [found.type_url, packed.value == found.value])
