"""What the benchmark `scale` asks of a platform, question by question, each with its aim; checks that the answers are right."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import grpc

from bench import synthetic
from bench.driving import BenchmarkError
from headrace_persistence.metadata import listing
from headrace_protos.kfp.v2beta1 import run_pb2, run_pb2_grpc
from headrace_protos.ml_metadata import metadata_store_pb2 as ms
from headrace_protos.ml_metadata import metadata_store_service_pb2 as api
from headrace_protos.ml_metadata import metadata_store_service_pb2_grpc as api_grpc
from headrace_protos.v1 import artifacts_pb2_grpc, cache_pb2, cache_pb2_grpc, run_query_pb2_grpc, runs_pb2_grpc
from headrace_protos.v1 import lineage_pb2 as lp
from headrace_protos.v1 import run_query_pb2 as rq

PAGE: Final = 50
LIST_MS, LINEAGE_MS, CACHE_MS = 50.0, 100.0, 20.0
BY_ID: Final = ms.ListOperationOptions.OrderByField.ID
BY_TIME: Final = ms.ListOperationOptions.OrderByField.CREATE_TIME
BY_UPDATE: Final = ms.ListOperationOptions.OrderByField.LAST_UPDATE_TIME


@dataclass(frozen=True, slots=True)
class Question:
    """Asked `tries` times, with other values each time; the percentile `judged` is held against `aim`."""

    what: str
    ask: Callable[[random.Random], Any]
    aim: float = LIST_MS
    judged: int = 95
    tries: int = 100


class Platform:
    """The stubs, and what is known of the runs."""

    def __init__(self, count: int, public: grpc.Channel, persistence: grpc.Channel, cache: grpc.Channel) -> None:
        self.count = count
        self.kfp = run_pb2_grpc.RunServiceStub(public)
        self.runs = runs_pb2_grpc.RunsStub(public)
        self.artifacts = artifacts_pb2_grpc.ArtifactsStub(public)
        self.metadata = api_grpc.MetadataStoreServiceStub(public)
        self.query = run_query_pb2_grpc.RunQueryStub(persistence)
        self.cache = cache_pb2_grpc.CacheStub(cache)

    @cached_property
    def drawn(self) -> list[synthetic.Run]:
        """Every hundredth run of those that succeeded, the newest first."""
        step = max(self.count // 10_000, 1)
        return [run for run in synthetic.runs(self.count) if not run.failed and run.number % step == 0][::-1]

    @cached_property
    def small(self) -> list[synthetic.Run]:
        """Those of small pipelines."""
        return [run for run in self.drawn if run.pipeline >= synthetic.PIPELINES // 2]

    def any_run(self, chance: random.Random) -> synthetic.Run:
        return chance.choice(self.drawn)

    def new_run(self, chance: random.Random) -> synthetic.Run:
        """One that the cache still has entries of."""
        return chance.choice(self.drawn[: max(int(len(self.drawn) * synthetic.KEPT * 0.9), 1)])


def found(answer: Any, name: str, least: int = 1) -> Any:
    """The list NAME of an answer, which holds something."""
    got = getattr(answer, name)
    if len(got) < least:
        raise BenchmarkError(f"{len(got)} {name} were answered, at least {least} are there")
    return got


def questions(of: Platform) -> list[Question]:
    return [*_runs(of), *_artifacts(of), *_metadata(of), *_lineage(of), *_cache(of)]


# ── runs ──


def _kfp(of: Platform, least: int = 1, **asked: Any) -> Any:
    return found(of.kfp.ListRuns(run_pb2.ListRunsRequest(page_size=PAGE, **asked), timeout=10), "runs", least)


def _equal(field: str, value: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": field, "string_value": value}]})


def _listed(of: Platform, *predicates: tuple[str, str], **page: Any) -> Any:
    asked = rq.ListRunsRequest(page=rq.Page(size=PAGE, **page))
    for field, value in predicates:
        asked.page.predicates.add(operation=rq.EQUALS, field=field, values=[value])
    return found(of.runs.List(asked, timeout=10), "runs")


def _runs(of: Platform) -> list[Question]:
    def named(chance: random.Random) -> Any:
        run = next(
            one for one in iter(lambda: of.any_run(chance), None) if synthetic.namespace(one.pipeline) == "default"
        )
        name = f"{synthetic.pipeline_name(run.pipeline)} {synthetic.seed(run.number)}"
        return _kfp(of, filter=_equal("display_name", name))

    def of_experiment(chance: random.Random) -> Any:
        run = next(
            one for one in iter(lambda: of.any_run(chance), None) if synthetic.namespace(one.pipeline) == "default"
        )
        return _kfp(of, experiment_id=synthetic.experiment(run.pipeline), sort_by="created_at desc")

    def of_pipeline(chance: random.Random) -> Any:
        rank = chance.choice([one for one in range(synthetic.PIPELINES) if synthetic.namespace(one) == "default"])
        return of.runs.List(_by_pipeline(rank), timeout=10)

    def of_namespace(chance: random.Random) -> Any:
        asked = rq.ListRunsRequest(
            namespace=f"team-{chance.randrange(20):02d}", page=rq.Page(size=PAGE, descending=True)
        )
        return of.query.ListRuns(asked, timeout=10)

    def deep(chance: random.Random) -> Any:
        return run_page(of, chance.random() * 0.9)

    def sorted_by(field: str) -> Callable[[random.Random], Any]:
        return lambda chance: _kfp(of, sort_by=f"{field} {chance.choice(['asc', 'desc'])}")

    def filtered(field: str, value: str, least: int = 1) -> Callable[[random.Random], Any]:
        return lambda _: _kfp(of, least, filter=_equal(field, value), sort_by="created_at desc")

    return [
        Question("runs, the newest", lambda _: _kfp(of, sort_by="created_at desc")),
        Question("runs, a page anywhere", deep),
        *(Question(f"runs by {one}", sorted_by(one)) for one in ("display_name", "finished_at", "scheduled_at", "state")),
        Question("runs that failed, the newest", filtered("state", "FAILED")),
        Question("runs that wait, of which there is none", filtered("state", "PENDING", 0)),
        Question("runs that are archived, the newest", filtered("storage_state", "ARCHIVED")),
        Question("runs of a name", named),
        Question("runs of an experiment", of_experiment),
        Question("runs of a pipeline", of_pipeline),
        Question("runs of a small namespace", of_namespace),
        Question("a run", lambda chance: of.query.GetRun(rq.GetRunRequest(run_id=synthetic.run_uuid(of.any_run(chance).number)))),
    ]  # fmt: skip


def _by_pipeline(rank: int) -> rq.ListRunsRequest:
    asked = rq.ListRunsRequest(page=rq.Page(size=PAGE))
    asked.page.predicates.add(operation=rq.EQUALS, field="pipeline_name", values=[synthetic.pipeline_name(rank)])
    return asked


def run_page(of: Platform, depth: float) -> Any:
    """The page of all runs that begins at a part of the list."""
    number = int((1 - depth) * (of.count - 1))
    start = {
        "first_value": str(synthetic.EPOCH_US + number * synthetic.EVERY_US),
        "first_id": synthetic.run_uuid(number),
    }
    return _listed(of, sort_field="created_at", descending=True, **(start if depth else {}))


# ── artifacts ──


def _find(of: Platform, least: int = 1, **asked: Any) -> Any:
    request = lp.FindArtifactRecordsRequest(page_size=PAGE, **asked)
    return found(of.artifacts.List(request, timeout=10), "artifacts", least)


def _uri(of: Platform, chance: random.Random) -> str:
    run = of.any_run(chance)
    return synthetic.uri(run.pipeline, synthetic.run_uuid(run.number), "train", "model")


def model(of: Platform, chance: random.Random) -> int:
    return synthetic.artifact_number(of.any_run(chance).number, "train", "model")


def artifact_page(of: Platform, depth: float) -> Any:
    number = synthetic.run_number(int((1 - depth) * (of.count - 1)))
    return _find(of, before_id=number if depth else 0)


def _artifacts(of: Platform) -> list[Question]:
    def digest(chance: random.Random) -> Any:
        return _find(of, digest=f"sha256:{synthetic.content(model(of, chance)) * 2}")

    def commit(chance: random.Random) -> Any:
        return _find(of, metadata=[f"commit={synthetic.content(model(of, chance))}"])

    def anywhere(chance: random.Random) -> Any:
        return artifact_page(of, chance.random() * 0.99)

    def of_run(chance: random.Random) -> Any:
        return _find(of, 7, run_id=synthetic.run_uuid(of.any_run(chance).number))

    def of_pipeline(chance: random.Random) -> Any:
        return _find(of, 0, pipeline_name=synthetic.pipeline_name(chance.randrange(synthetic.PIPELINES)))

    def models_of_pipeline(chance: random.Random) -> Any:
        name = synthetic.pipeline_name(chance.randrange(synthetic.PIPELINES))
        return _find(of, 0, pipeline_name=name, type="system.Model")

    def raw(chance: random.Random) -> Any:
        number = str(synthetic.raw_number(chance.randrange(5)))
        return of.artifacts.Get(lp.GetArtifactRecordRequest(artifact_id=number), timeout=10)

    return [
        Question("artifacts, the newest", lambda _: _find(of)),
        Question("artifacts, a page anywhere", anywhere),
        Question("artifacts of a type, the newest", lambda _: _find(of, type="system.Model")),
        Question("artifacts of a run", of_run),
        Question("artifacts of a pipeline", of_pipeline),
        Question("models of a pipeline", models_of_pipeline),
        Question(
            "artifacts of a small namespace", lambda chance: _find(of, 0, namespace=f"team-{chance.randrange(20):02d}")
        ),
        Question("artifacts by URI", lambda chance: _find(of, uri=_uri(of, chance))),
        Question("artifacts by digest", digest),
        Question("artifacts by a text in their metadata", commit),
        Question(
            "artifacts by a text that many have in their metadata", lambda _: _find(of, metadata=["framework=torch"])
        ),
        Question(
            "artifacts by a number in their metadata",
            lambda chance: _find(of, 0, metadata=[f"accuracy={chance.random():.6f}"]),
        ),
        Question("an artifact that every run of a large pipeline reads, with its uses", raw),
        Question("runs of a pipeline, compared by their figures", _compare(of)),
        Question("runs of a pipeline with the best figure", _compare(of, sort_by="accuracy")),
        Question("runs of an experiment with the best figure", _compare(of, _experiment, sort_by="accuracy")),
        Question("runs of a namespace with the best figure", _compare(of, _namespace, sort_by="accuracy")),
        Question("runs with the best figure", _compare(of, lambda _: {}, sort_by="accuracy")),
    ]


def _pipeline(of: int) -> dict[str, Any]:
    return {"pipeline_name": synthetic.pipeline_name(of)}


def _experiment(of: int) -> dict[str, Any]:
    return {"experiment_id": synthetic.experiment(of)}


def _namespace(of: int) -> dict[str, Any]:
    return {"namespace": synthetic.namespace(of)}


def _compare(
    of: Platform, scope: Callable[[int], dict[str, Any]] = _pipeline, **asked: Any
) -> Callable[[random.Random], Any]:
    def ask(chance: random.Random) -> Any:
        where = scope(chance.randrange(synthetic.PIPELINES))
        answer = of.artifacts.CompareRuns(lp.CompareRunsRequest(**where, **asked), timeout=10)
        return found(answer, "runs", 0 if where else 1)

    return ask


# ── ML Metadata ──


def _options(
    field: Any = BY_ID, query: str = "", *, ascending: bool = False, token: str = ""
) -> ms.ListOperationOptions:
    made = ms.ListOperationOptions(max_result_size=PAGE, filter_query=query, next_page_token=token)
    made.order_by_field.field, made.order_by_field.is_asc = field, ascending
    return made


def metadata_page(of: Platform, depth: float) -> Any:
    number = synthetic.run_number(int((1 - depth) * (of.count - 1)))
    token = listing.token(_options(), number, number) if depth else ""
    return found(
        of.metadata.GetArtifacts(api.GetArtifactsRequest(options=_options(token=token)), timeout=10), "artifacts"
    )


def _metadata(of: Platform) -> list[Question]:
    def artifacts(query: str = "", field: Any = BY_ID, least: int = 1) -> Any:
        return found(
            of.metadata.GetArtifacts(api.GetArtifactsRequest(options=_options(field, query)), timeout=10),
            "artifacts",
            least,
        )

    def executions(query: str = "", field: Any = BY_ID, least: int = 1) -> Any:
        return found(
            of.metadata.GetExecutions(api.GetExecutionsRequest(options=_options(field, query)), timeout=10),
            "executions",
            least,
        )

    def contexts(query: str = "", field: Any = BY_ID) -> Any:
        return found(
            of.metadata.GetContexts(api.GetContextsRequest(options=_options(field, query)), timeout=10), "contexts"
        )

    def within(width: float) -> Callable[[random.Random], Any]:
        def ask(chance: random.Random) -> Any:
            low = chance.random() * (0.99 - width)
            name = "custom_properties.accuracy.double_value"
            return artifacts(f"{name} >= {low:.6f} AND {name} < {low + width:.6f}", least=0)

        return ask

    def run_context(chance: random.Random) -> str:
        return synthetic.run_uuid(of.any_run(chance).number)

    def pipeline_context(chance: random.Random) -> int:
        name = synthetic.pipeline_name(chance.randrange(synthetic.PIPELINES))
        asked = api.GetContextByTypeAndNameRequest(type_name="system.Pipeline", context_name=name)
        return int(of.metadata.GetContextByTypeAndName(asked, timeout=10).context.id)

    numbers = [pipeline_context(random.Random(seed)) for seed in range(40)]

    def in_pipeline(chance: random.Random) -> Any:
        asked = api.GetArtifactsByContextRequest(context_id=chance.choice(numbers), options=_options())
        return of.metadata.GetArtifactsByContext(asked, timeout=10)

    def ran_in_pipeline(chance: random.Random) -> Any:
        asked = api.GetExecutionsByContextRequest(context_id=chance.choice(numbers), options=_options())
        return of.metadata.GetExecutionsByContext(asked, timeout=10)

    def in_run(chance: random.Random) -> Any:
        number = synthetic.run_number(of.any_run(chance).number)
        asked = api.GetArtifactsByContextRequest(context_id=number, options=_options())
        return found(of.metadata.GetArtifactsByContext(asked, timeout=10), "artifacts", 7)

    return [
        Question("ML Metadata: artifacts by id, a page anywhere", lambda chance: metadata_page(of, chance.random() * 0.99)),
        Question("ML Metadata: artifacts by time of creation", lambda _: artifacts(field=BY_TIME)),
        Question("ML Metadata: artifacts by time of update", lambda _: artifacts(field=BY_UPDATE)),
        Question("ML Metadata: artifacts, type = …", lambda _: artifacts("type = 'system.Model'")),
        Question("ML Metadata: artifacts, uri = …", lambda chance: artifacts(f"uri = '{_uri(of, chance)}'")),
        Question("ML Metadata: artifacts, a property's number > …", lambda chance: artifacts(
            f"custom_properties.accuracy.double_value > {0.9 + chance.random() / 10:.4f}", least=0)),
        Question("ML Metadata: artifacts, a property's number that one in a hundred has", within(0.01)),
        Question("ML Metadata: artifacts, a property's number that one in a thousand has", within(0.001)),
        Question("ML Metadata: artifacts of a context by its name", lambda chance: artifacts(
            f"contexts_a.type = 'system.PipelineRun' AND contexts_a.name = '{run_context(chance)}'")),
        Question("ML Metadata: artifacts of a run's context", in_run),
        Question("ML Metadata: artifacts of a pipeline's context", in_pipeline),
        Question("ML Metadata: executions by time of creation", lambda _: executions(field=BY_TIME)),
        Question("ML Metadata: executions by time of update", lambda _: executions(field=BY_UPDATE)),
        Question("ML Metadata: executions that failed", lambda _: executions("last_known_state = FAILED", least=0)),
        Question("ML Metadata: executions of a pipeline's context", ran_in_pipeline),
        Question("ML Metadata: contexts, the newest", lambda _: contexts(field=BY_TIME)),
        Question("ML Metadata: contexts by time of update", lambda _: contexts(field=BY_UPDATE)),
        Question("ML Metadata: contexts, type and name", lambda chance: contexts(
            f"type = 'system.PipelineRun' AND name = '{run_context(chance)}'")),
    ]  # fmt: skip


# ── lineage ──


def _walk(of: Platform, number: int, direction: Any, hops: int = 5) -> Any:
    asked = lp.GetLineageRequest(artifact_id=str(number), direction=direction, hops=hops)
    return found(of.artifacts.Lineage(asked, timeout=10), "edges")


def _lineage(of: Platform) -> list[Question]:
    def data(chance: random.Random) -> int:
        return synthetic.artifact_number(of.any_run(chance).prepared, "prepare", "train-set")

    def subgraph(direction: Any) -> Callable[[random.Random], Any]:
        def ask(chance: random.Random) -> Any:
            asked = ms.LineageSubgraphQueryOptions(max_num_hops=5, direction=direction)
            number = synthetic.artifact_number(chance.choice(of.small).number, "train", "model")
            asked.starting_artifacts.filter_query = f"id = {number}"
            request = api.GetLineageSubgraphRequest(lineage_subgraph_query_options=asked)
            return found(of.metadata.GetLineageSubgraph(request, timeout=10).lineage_subgraph, "events")

        return ask

    both = lp.LINEAGE_DIRECTION_UNSPECIFIED
    up, down = ms.LineageSubgraphQueryOptions.UPSTREAM, ms.LineageSubgraphQueryOptions.DOWNSTREAM
    return [
        Question("lineage of a model, 5 hops up", lambda chance: _walk(of, model(of, chance), lp.UPSTREAM_OF), LINEAGE_MS),
        Question("lineage of data, 5 hops down", lambda chance: _walk(of, data(chance), lp.DOWNSTREAM_OF), LINEAGE_MS),
        Question("lineage of a model, 5 hops both ways", lambda chance: _walk(of, model(of, chance), both), LINEAGE_MS),
        Question("lineage of what all runs of a pipeline read, 5 hops down (1,000 nodes at most)", lambda chance: _walk(
            of, synthetic.raw_number(chance.randrange(5)), lp.DOWNSTREAM_OF), LINEAGE_MS, tries=20),
        Question("ML Metadata: lineage of a model of a small pipeline, 5 hops up", subgraph(up), LINEAGE_MS),
        Question("ML Metadata: lineage of a model of a small pipeline, 5 hops down", subgraph(down), LINEAGE_MS),
    ]  # fmt: skip


# ── the cache ──


def _cache(of: Platform) -> list[Question]:
    def one(chance: random.Random, *, known: bool) -> cache_pb2.Ingredients:
        run = of.new_run(chance)
        seed = synthetic.seed(run.number if known else run.number + 50_000_000)
        return synthetic.ingredients(run.pipeline, "train", json.dumps(seed))

    def lookup(chance: random.Random) -> Any:
        wanted = [one(chance, known=index % 2 == 0) for index in range(10)]
        answer = of.cache.Lookup(cache_pb2.LookupRequest(ingredients=wanted), timeout=10)
        if [hit.found for hit in answer.hits] != [True, False] * 5:
            raise BenchmarkError(f"of ten keys {[hit.found for hit in answer.hits]} were found, not every second one")

    def single(chance: random.Random) -> Any:
        answer = of.cache.Lookup(cache_pb2.LookupRequest(ingredients=[one(chance, known=True)]), timeout=10)
        if not answer.hits[0].found:
            raise BenchmarkError("a key that is there was not found")

    return [
        Question("cache: a lookup", single, CACHE_MS, 99, 500),
        Question("cache: a lookup of ten keys, of which five are there", lookup, CACHE_MS, 99, 300),
    ]


# ── pages ──


def pages(of: Platform) -> dict[str, Callable[[float], Any]]:
    """Lists whose pages are to cost the same wherever they are."""
    return {
        "pages of runs": lambda depth: run_page(of, depth),
        "pages of artifacts": lambda depth: artifact_page(of, depth),
        "ML Metadata: pages of artifacts": lambda depth: metadata_page(of, depth),
    }


def walk(of: Platform) -> None:
    """Forty pages one after the other have every run once, in order."""
    seen: list[str] = []
    token = ""
    for _ in range(40):
        asked = run_pb2.ListRunsRequest(page_size=PAGE, page_token=token, sort_by="" if token else "created_at desc")
        answer = of.kfp.ListRuns(asked, timeout=10)
        seen += [run.run_id for run in answer.runs]
        token = answer.next_page_token
        if not token:
            break
    if len(set(seen)) != len(seen) or seen != sorted(seen, reverse=True):
        raise BenchmarkError("pages of runs are not in order, or a run is in two of them")
