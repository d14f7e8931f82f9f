"""Random calls with few names, so that much collides: whatever one store answers, the other one answers too.

Both stores get the same calls, because each is chosen by the seed and by the ids that were answered, which are equal by order.
"""

from __future__ import annotations

import random
from typing import Any

from making import event, node, type_of
from ml_metadata import ListOptions, OrderByField
from ml_metadata.proto import metadata_store_pb2 as ms
from ml_metadata.proto import metadata_store_service_pb2 as mss

KINDS = ("artifact", "execution", "context")
CALLS = 400
NOBODY = 1 << 42
PROPERTIES = {"i": ms.INT, "s": ms.STRING, "d": ms.DOUBLE, "b": ms.BOOLEAN}
EVENTS = (ms.Event.INPUT, ms.Event.OUTPUT, ms.Event.DECLARED_INPUT, ms.Event.INTERNAL_OUTPUT)
COLUMNS = (
    "id > 0",
    "name LIKE 'n%'",
    "name = 'n1'",
    "external_id = 'x0'",
    "type LIKE 'random%'",
    "properties.i.int_value > 1",
    "custom_properties.c.string_value = 'a'",
    "properties.b.bool_value = true",
    "properties.d.double_value <= 1.5",
)
NEAR = {
    "artifact": (
        "state = LIVE",
        "uri = 'u1'",
        "contexts_a.name = 'n1'",
        "events_a.type = INPUT",
        "contexts_a.type = 'random context 0'",
    ),
    "execution": (
        "last_known_state != RUNNING",
        "contexts_a.name = 'n0'",
        "events_a.type != OUTPUT",
        "events_a.type IN (INPUT, OUTPUT)",
    ),
    "context": (
        "artifacts_a.name = 'n1'",
        "executions_a.last_known_state = RUNNING",
        "parent_contexts_a.name = 'n0'",
        "child_contexts_a.id > 0",
    ),
}


class Session:
    """One store, one seed, and what was answered so far."""

    def __init__(self, store: Any, seed: int) -> None:
        self.store, self.random = store, random.Random(seed)
        self.types: dict[str, list[int]] = {kind: [] for kind in KINDS}
        self.nodes: dict[str, list[int]] = {kind: [] for kind in KINDS}

    def run(self) -> None:
        for kind in KINDS:
            first = type_of(kind, f"random {kind} 0", i=ms.INT)
            self.types[kind].append(getattr(self.store, f"put_{kind}_type")(first, kind=f"{kind} type"))
            plain = node(kind, self.types[kind][0], name="n0")
            self.nodes[kind] += getattr(self.store, f"put_{kind}s")([plain], kind=kind)
        calls = (self.put_type, self.put, self.put, self.put, self.get, self.find, self.listed, self.listed)
        others = (self.events, self.belongings, self.parents, self.execution, self.subgraph, self.lineage)
        for _ in range(CALLS):
            if self.random.random() < 0.6:
                self.random.choice(calls)(self.random.choice(KINDS))
            else:
                self.random.choice(others)()

    def chance(self, likely: float) -> bool:
        return self.random.random() < likely

    def one(self, kind: str) -> int:
        return NOBODY if self.chance(0.03) else self.random.choice(self.nodes[kind])

    def type(self, kind: str) -> int:
        return NOBODY if self.chance(0.03) else self.random.choice(self.types[kind])

    def name(self) -> str:
        return f"n{self.random.randrange(8)}"

    def properties(self) -> dict[str, Any]:
        wrong = {"i": "text", "s": 1, "d": 1, "b": 0, "z": 1}
        right = {
            "i": self.random.randrange(4),
            "s": self.random.choice("ab"),
            "d": self.random.randrange(4) / 2,
            "b": self.chance(0.5),
        }
        chosen = self.random.sample(sorted(right), self.random.randrange(4))
        made = {key: right[key] for key in chosen}
        if self.chance(0.05):
            key = self.random.choice(sorted(wrong))
            made[key] = wrong[key]
        return made

    def node(self, kind: str, *, new: bool | None = None) -> Any:
        fields: dict[str, Any] = {"properties": self.properties()}
        fields["custom"] = {
            key: self.random.choice(["a", 1, 0.5, True]) for key in self.random.sample("cfg", self.random.randrange(3))
        }
        if kind == "context" or self.chance(0.7):
            fields["name"] = self.name()
        if self.chance(0.15):
            fields["external_id"] = f"x{self.random.randrange(3)}"
        if kind == "artifact" and self.chance(0.5):
            fields["uri"] = f"u{self.random.randrange(3)}"
        if kind == "artifact" and self.chance(0.5):
            fields["state"] = self.random.choice([ms.Artifact.LIVE, ms.Artifact.PENDING])
        if kind == "execution" and self.chance(0.5):
            fields["last_known_state"] = self.random.choice([ms.Execution.RUNNING, ms.Execution.COMPLETE])
        if new is not True and self.chance(0.4):
            fields["id"] = self.one(kind)
        return node(kind, self.type(kind) if self.chance(0.95) else None, **fields)

    # ── one kind ──

    def put_type(self, kind: str) -> None:
        chosen = self.random.sample(sorted(PROPERTIES), self.random.randrange(2, 5))
        name = f"random {kind} {self.random.randrange(3)}"
        made = type_of(kind, name, **{key: PROPERTIES[key] for key in chosen})
        told = getattr(self.store, f"put_{kind}_type")(
            made, can_add_fields=self.chance(0.6), can_omit_fields=self.chance(0.6), kind=f"{kind} type"
        )
        if told is not None and told not in self.types[kind]:
            self.types[kind].append(told)

    def put(self, kind: str) -> None:
        nodes = [self.node(kind) for _ in range(self.random.randrange(1, 4))]
        paths = ["properties.i", "custom_properties.c", "external_id", "properties", "uri", "state", "last_known_state"]
        mask = self.random.sample(paths, self.random.randrange(1, 4)) if self.chance(0.2) else None
        told = getattr(self.store, f"put_{kind}s")(nodes, mask, kind=kind, note=str(mask))
        self.nodes[kind] += [one for one in told or () if one not in self.nodes[kind]]

    def get(self, kind: str) -> None:
        getattr(self.store, f"get_{kind}s_by_id")([self.one(kind) for _ in range(4)])
        getattr(self.store, f"get_{kind}_type")(f"random {kind} {self.random.randrange(4)}")
        getattr(self.store, f"get_{kind}s_by_external_ids")([f"x{self.random.randrange(4)}"])

    def find(self, kind: str) -> None:
        type_name = f"random {kind} {self.random.randrange(4)}"
        getattr(self.store, f"get_{kind}_by_type_and_name")(type_name, self.name())
        getattr(self.store, f"get_{kind}s_by_type")(type_name)
        if kind == "context":
            self.store.get_artifacts_by_context(self.one(kind))
            self.store.get_executions_by_context(self.one(kind))
            self.store.get_parent_contexts_by_context(self.one(kind))
            self.store.get_children_contexts_by_context(self.one(kind))
        else:
            getattr(self.store, f"get_events_by_{kind}_ids")([self.one(kind), self.one(kind)])
            getattr(self.store, f"get_contexts_by_{kind}")(self.one(kind))
        self.store.get_artifacts_by_uri(f"u{self.random.randrange(4)}")

    def query(self, kind: str, depth: int = 2) -> str:
        if depth and self.chance(0.6):
            left, right = self.query(kind, depth - 1), self.query(kind, depth - 1)
            word = self.random.choice(["AND", "AND", "OR"])
            return f"({left}) {word} ({right})" if self.chance(0.8) else f"NOT ({left})"
        return self.random.choice(COLUMNS + NEAR[kind])

    def listed(self, kind: str) -> None:
        query, limit = self.query(kind), self.random.choice([None, 1, 3, 50])
        order = self.random.choice([OrderByField.ID, OrderByField.ID, OrderByField.CREATE_TIME, None])
        options = ListOptions(limit=limit, order_by=order, is_asc=self.chance(0.5), filter_query=query)
        getattr(self.store, f"get_{kind}s")(list_options=options, note=f"{query} {limit} {order}")

    # ── what connects them ──

    def event(self) -> ms.Event:
        path = self.random.choice([(), ("out",), ("in", 2)])
        return event(self.one("execution"), self.one("artifact"), self.random.choice(EVENTS), *path)

    def there(self, one: ms.Event) -> bool:
        return NOBODY not in (one.artifact_id, one.execution_id)

    def events(self) -> None:
        self.store.put_events([self.event() for _ in range(self.random.randrange(1, 3))])

    def belongings(self) -> None:
        attributions = [
            ms.Attribution(context_id=self.one("context"), artifact_id=self.one("artifact")) for _ in range(2)
        ]
        associations = [ms.Association(context_id=self.one("context"), execution_id=self.one("execution"))]
        self.store.put_attributions_and_associations(attributions, associations)

    def parents(self) -> None:
        self.store.put_parent_contexts([ms.ParentContext(parent_id=self.one("context"), child_id=self.one("context"))])

    def execution(self) -> None:
        pairs = []
        for _ in range(self.random.randrange(3)):
            one = self.node("artifact")
            pairs.append((one, event(None, None, self.random.choice(EVENTS))))
        contexts = [self.node("context", new=True) for _ in range(self.random.randrange(3))]
        told = self.store.put_execution(
            self.node("execution"), pairs, contexts, reuse_context_if_already_exist=self.chance(0.7),
            reuse_artifact_if_already_exist_by_external_id=self.chance(0.5), kind="execution,artifact,context",
        )  # fmt: skip
        self.learn(*([told[0]], told[1], told[2]) if told else ((), (), ()))

    def subgraph(self) -> None:
        executions = [self.node("execution") for _ in range(2)]
        artifacts = [self.node("artifact") for _ in range(2)]
        contexts = [self.node("context", new=True)]
        edges = [
            (self.random.randrange(-1, 3), self.random.randrange(2), event(None, None, self.random.choice(EVENTS)))
        ]
        told = self.store.put_lineage_subgraph(
            executions,
            artifacts,
            contexts,
            edges,
            reuse_context_if_already_exist=self.chance(0.7),
            kind="execution,artifact,context",
        )
        self.learn(*told if told else ((), (), ()))

    def learn(self, executions: Any, artifacts: Any, contexts: Any) -> None:
        for kind, told in (("execution", executions), ("artifact", artifacts), ("context", contexts)):
            self.nodes[kind] += [one for one in told if one not in self.nodes[kind]]

    def lineage(self) -> None:
        start = self.random.choice(["artifacts", "executions"])
        options = ms.LineageSubgraphQueryOptions(
            direction=self.random.randrange(4), max_num_hops=self.random.randrange(6)
        )
        getattr(options, f"starting_{start}").filter_query = self.query(start[:-1], 1)
        if self.chance(0.3):
            options.ending_artifacts.filter_query = self.query("artifact", 1)
            options.ending_artifacts.include_ending_nodes = self.chance(0.5)
        if self.chance(0.3):
            options.ending_executions.filter_query = self.query("execution", 1)
            options.ending_executions.include_ending_nodes = self.chance(0.5)
        masked = ["artifacts", "executions", "contexts", "events", "attributions", "associations"]
        request = mss.GetLineageSubgraphRequest(lineage_subgraph_query_options=options, read_mask={"paths": masked})
        self.store.raw(
            "GetLineageSubgraph", request, mss.GetLineageSubgraphResponse(), note=str(options).replace("\n", " ")
        )


def run(store: Any, seed: int) -> None:
    Session(store, seed).run()
