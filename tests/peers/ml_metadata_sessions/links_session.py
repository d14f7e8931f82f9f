"""Events, attributions, associations, parent contexts; executions with all that belongs to them; lineage."""

from __future__ import annotations

from typing import Any

from making import event, node, type_of
from ml_metadata.proto import metadata_store_pb2 as ms
from ml_metadata.proto import metadata_store_service_pb2 as mss

E = ms.Event
NOBODY = 1 << 40


def run(store: Any) -> None:
    world = World(store)
    events(store, world)
    belongings(store, world)
    parents(store, world)
    executions(store, world)
    wrong_executions(store, world)
    reused(store, world)
    subgraphs(store, world)
    wrong_subgraphs(store, world)


class World:
    """Types and nodes that the steps connect."""

    def __init__(self, store: Any) -> None:
        self.artifact_type = store.put_artifact_type(
            type_of("artifact", "linked artifact", n=ms.INT), kind="artifact type"
        )
        self.execution_type = store.put_execution_type(
            type_of("execution", "linked execution", n=ms.INT), kind="execution type"
        )
        self.context_type = store.put_context_type(type_of("context", "linked context", n=ms.INT), kind="context type")
        self.artifacts = store.put_artifacts([self.artifact(f"a{n}") for n in range(6)], kind="artifact")
        self.executions = store.put_executions([self.execution(f"e{n}") for n in range(4)], kind="execution")
        self.contexts = store.put_contexts([self.context(f"c{n}") for n in range(5)], kind="context")

    def artifact(self, name: str, **fields: Any) -> ms.Artifact:
        return node("artifact", self.artifact_type, name=name, **fields)

    def execution(self, name: str, **fields: Any) -> ms.Execution:
        return node("execution", self.execution_type, name=name, **fields)

    def context(self, name: str, **fields: Any) -> ms.Context:
        return node("context", self.context_type, name=name, **fields)


def events(store: Any, world: World) -> None:
    a, e = world.artifacts, world.executions
    store.put_events([event(e[0], a[0], E.INPUT, "data"), event(e[0], a[1], E.OUTPUT, "model", 0)])
    store.put_events([event(e[1], a[1], E.DECLARED_INPUT, at=1234), event(e[1], a[2], E.INTERNAL_OUTPUT, 7)])
    store.put_events([event(e[1], a[3], E.PENDING_OUTPUT), event(e[1], a[3], E.DECLARED_OUTPUT)], note="two of a pair")
    store.put_events([])
    store.get_events_by_execution_ids([e[0]])
    store.get_events_by_execution_ids(e[:2])
    store.get_events_by_execution_ids([NOBODY])
    store.get_events_by_execution_ids([])
    store.get_events_by_artifact_ids([a[1]])
    store.get_events_by_artifact_ids([a[0], a[3]])
    store.get_events_by_artifact_ids([])
    found = store.store.get_events_by_execution_ids([e[1]])
    store.same("a time that was given", sorted(one.milliseconds_since_epoch for one in found)[0])
    store.put_events([event(e[0], a[0], E.INPUT, "data")], note="again")
    store.put_events([event(e[0], None, E.INPUT)], note="no artifact")
    store.put_events([event(None, a[0], E.INPUT)], note="no execution")
    store.put_events([ms.Event(artifact_id=a[0], execution_id=e[0])], note="no type")
    store.put_events([event(e[0], a[0], E.UNKNOWN)], note="type UNKNOWN")
    store.put_events([event(e[0], NOBODY, E.INPUT)], note="no such artifact")
    store.put_events([event(NOBODY, a[0], E.INPUT)], note="no such execution")
    store.put_events([event(e[2], a[4], E.INPUT), event(e[2], NOBODY, E.INPUT)], note="one is wrong: none is made")
    store.get_events_by_execution_ids([e[2]])


def belongings(store: Any, world: World) -> None:
    a, e, c = world.artifacts, world.executions, world.contexts

    def put(attributions: Any = (), associations: Any = (), note: str = "") -> None:
        made = [ms.Attribution(context_id=one, artifact_id=other) for one, other in attributions]
        others = [ms.Association(context_id=one, execution_id=other) for one, other in associations]
        store.put_attributions_and_associations(made, others, note=note)

    put([(c[0], a[0]), (c[0], a[1]), (c[1], a[0])], [(c[0], e[0]), (c[1], e[1])])
    put([(c[0], a[0])], [(c[0], e[0])], note="again")
    put(note="none")
    put([(NOBODY, a[0])], note="no such context")
    put([(c[0], NOBODY)], note="no such artifact")
    put([], [(NOBODY, e[0])], note="no such context")
    put([], [(c[0], NOBODY)], note="no such execution")
    store.put_attributions_and_associations([ms.Attribution(context_id=c[0])], [], note="no artifact")
    store.put_attributions_and_associations([ms.Attribution(artifact_id=a[0])], [], note="no context")
    store.put_attributions_and_associations([], [ms.Association(context_id=c[0])], note="no execution")
    for number in (a[0], a[1], a[5], NOBODY):
        store.get_contexts_by_artifact(number)
    for number in (e[0], e[3], NOBODY):
        store.get_contexts_by_execution(number)
    for number in (c[0], c[1], c[4], NOBODY):
        store.get_artifacts_by_context(number)
        store.get_executions_by_context(number)


def parents(store: Any, world: World) -> None:
    c = world.contexts

    def put(*pairs: tuple[int, int], note: str = "") -> None:
        store.put_parent_contexts([ms.ParentContext(parent_id=one, child_id=other) for one, other in pairs], note=note)

    put((c[0], c[1]), (c[0], c[2]), (c[1], c[3]))
    put((c[0], c[1]), note="again")
    put((c[3], c[0]), note="a circle")
    put((c[2], c[2]), note="itself")
    put((c[0], NOBODY), note="no such child")
    put((NOBODY, c[0]), note="no such parent")
    put(note="none")
    store.put_parent_contexts([ms.ParentContext(parent_id=c[0])], note="no child")
    store.put_parent_contexts([ms.ParentContext(child_id=c[0])], note="no parent")
    for number in (*c, NOBODY):
        store.get_parent_contexts_by_context(number)
        store.get_children_contexts_by_context(number)


def executions(store: Any, world: World) -> None:
    a, c = world.artifacts, world.contexts
    pairs = [
        (world.artifact("made with it", uri="u"), event(None, None, E.OUTPUT, "out")),
        (ms.Artifact(id=a[5], type_id=world.artifact_type, uri="changed with it"), event(None, None, E.INPUT, "in")),
    ]
    told = store.put_execution(
        world.execution("whole"),
        pairs,
        [world.context("new with it"), store.store.get_contexts_by_id([c[4]])[0]],
        kind="execution,artifact,context",
    )
    store.get_events_by_execution_ids([told[0]])
    store.get_artifacts_by_id(told[1])
    for context in told[2]:
        store.get_executions_by_context(context)
        store.get_artifacts_by_context(context)
    alone = store.put_execution(world.execution("alone"), [], [], kind="execution,artifact,context")
    store.put_execution(
        ms.Execution(id=alone[0], type_id=world.execution_type, last_known_state=ms.Execution.COMPLETE),
        [(None, event(None, a[0], E.INPUT))],
        [],
        kind="execution,artifact,context",
        note="changed, an artifact by id",
    )
    store.get_executions_by_id([alone[0]])
    store.put_execution(
        world.execution("without events"),
        [(world.artifact("no event"), None)],
        [world.context("around it")],
        kind="execution,artifact,context",
    )
    before = store.store.get_executions_by_id([alone[0]])[0]
    store.put_execution(before, [], [], force_update_time=True, kind="execution,artifact,context", note="forced")
    after = store.store.get_executions_by_id([alone[0]])[0]
    store.same("its time does not go back", after.last_update_time_since_epoch >= before.last_update_time_since_epoch)


def wrong_executions(store: Any, world: World) -> None:
    a, e = world.artifacts, world.executions
    cases = {
        "event of another execution": [(world.artifact("x1"), event(e[0], None, E.OUTPUT))],
        "event of another artifact": [(world.artifact("x2"), event(None, a[0], E.OUTPUT))],
        "event without artifact": [(None, event(None, None, E.OUTPUT))],
        "event without type": [(world.artifact("x3"), ms.Event())],
        "artifact without type": [(ms.Artifact(uri="u"), event(None, None, E.OUTPUT))],
        "artifact's name is taken": [(world.artifact("a0"), event(None, None, E.OUTPUT))],
        "two events alike": [(None, event(None, a[0], E.INPUT)), (None, event(None, a[0], E.INPUT))],
    }
    for note, pairs in cases.items():
        store.put_execution(world.execution("wrong"), pairs, [], note=note)
    store.put_execution(world.execution("wrong"), [], [ms.Context(name="untyped")], note="context without type")
    store.put_execution(
        world.execution("wrong"), [], [ms.Context(type_id=world.context_type)], note="context without name"
    )
    store.put_execution(world.execution("wrong"), [], [world.context("c0")], note="context's name is taken")
    store.put_execution(world.execution("e0"), [], [], note="execution's name is taken")
    store.put_execution(ms.Execution(), [], [], note="execution without type")
    store.get_execution_by_type_and_name("linked execution", "wrong", note="none was made")
    store.raw("PutExecution", mss.PutExecutionRequest(), mss.PutExecutionResponse(), note="no execution")


def reused(store: Any, world: World) -> None:
    c, kinds = world.contexts, "execution,artifact,context"
    store.put_execution(
        world.execution("r0"),
        [],
        [world.context("c0", custom={"x": 1})],
        reuse_context_if_already_exist=True,
        kind=kinds,
    )
    store.put_execution(
        world.execution("r1"), [], [world.context("c new")], reuse_context_if_already_exist=True, kind=kinds
    )
    store.get_contexts_by_id([c[0]], note="as it was")
    known = ms.Context(id=c[1], type_id=world.context_type, name="c1 renamed")
    store.put_execution(
        world.execution("r2"), [], [known], force_reuse_context=True, kind=kinds, note="by id, as it is"
    )
    store.get_contexts_by_id([c[1]])
    store.put_execution(
        world.execution("r3"),
        [],
        [ms.Context(id=NOBODY, type_id=world.context_type, name="c")],
        force_reuse_context=True,
        note="no such context",
    )
    out = world.artifact("reused", external_id="reused elsewhere", uri="first")
    first = store.put_execution(
        world.execution("r4"),
        [(out, event(None, None, E.OUTPUT))],
        [],
        reuse_artifact_if_already_exist_by_external_id=True,
        kind=kinds,
    )
    again = node("artifact", world.artifact_type, external_id="reused elsewhere", uri="second")
    second = store.put_execution(
        world.execution("r5"),
        [(again, event(None, None, E.OUTPUT))],
        [],
        reuse_artifact_if_already_exist_by_external_id=True,
        kind=kinds,
    )
    store.same("the same artifact", first[1] == second[1])
    store.get_artifacts_by_external_ids(["reused elsewhere"])
    store.put_execution(
        world.execution("r6"), [(again, event(None, None, E.OUTPUT))], [], kind=kinds, note="not reused: taken"
    )


def subgraphs(store: Any, world: World) -> None:
    kinds = "execution,artifact,context"
    told = store.put_lineage_subgraph(
        [world.execution("s0"), world.execution("s1")],
        [world.artifact("s a0"), world.artifact("s a1"), world.artifact("s a2")],
        [world.context("s c0")],
        [
            (0, 0, event(None, None, E.INPUT)),
            (0, 1, event(None, None, E.OUTPUT)),
            (1, 1, event(None, None, E.INPUT)),
            (1, 2, event(None, None, E.OUTPUT, "k")),
        ],
        kind=kinds,
    )
    store.get_events_by_execution_ids(told[0])
    store.get_artifacts_by_context(told[2][0])
    store.get_executions_by_context(told[2][0])
    by_id = [(None, None, event(told[0][0], told[1][2], E.INPUT))]
    store.put_lineage_subgraph([], [], [], by_id, kind=kinds, note="an event between ids")
    store.put_lineage_subgraph([], [], [], [], kind=kinds, note="nothing")
    store.put_lineage_subgraph([], [], [world.context("s c0")], [], reuse_context_if_already_exist=True, kind=kinds)
    store.put_lineage_subgraph([], [], [world.context("s c0")], [], kind=kinds, note="context's name is taken")
    known = node("artifact", world.artifact_type, external_id="reused elsewhere", uri="third")
    store.put_lineage_subgraph([], [known], [], [], reuse_artifact_if_already_exist_by_external_id=True, kind=kinds)
    store.get_artifacts_by_external_ids(["reused elsewhere"])
    store.put_lineage_subgraph([], [known], [], [], kind=kinds, note="not reused: taken")


def wrong_subgraphs(store: Any, world: World) -> None:
    a, e = world.artifacts, world.executions
    executions, artifacts = [world.execution("w0")], [world.artifact("w a0")]
    edges = {
        "no event": (0, 0, None),
        "no execution": (None, 0, event(None, None, E.INPUT)),
        "no artifact": (0, None, event(None, None, E.INPUT)),
        "execution_index too large": (1, 0, event(None, None, E.INPUT)),
        "execution_index negative": (-1, 0, event(None, None, E.INPUT)),
        "artifact_index too large": (0, 9, event(None, None, E.INPUT)),
        "event names another execution": (0, 0, event(e[0], None, E.INPUT)),
        "event names another artifact": (0, 0, event(None, a[0], E.INPUT)),
    }
    for note, (execution, artifact, one) in edges.items():
        edge = mss.PutLineageSubgraphRequest.EventEdge(event=one)
        if execution is not None:
            edge.execution_index = execution
        if artifact is not None:
            edge.artifact_index = artifact
        request = mss.PutLineageSubgraphRequest(executions=executions, artifacts=artifacts, event_edges=[edge])
        store.raw("PutLineageSubgraph", request, mss.PutLineageSubgraphResponse(), note=note)
    store.put_lineage_subgraph([ms.Execution(name="untyped")], [], [], [], note="no type")
    store.put_lineage_subgraph([], [ms.Artifact(type_id=NOBODY)], [], [], note="no such type")
    store.put_lineage_subgraph([], [world.artifact("w a1", properties={"n": "text"})], [], [], note="a wrong property")
    store.get_execution_by_type_and_name("linked execution", "w0", note="none was made")
