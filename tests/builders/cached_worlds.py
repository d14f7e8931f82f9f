"""Runs pipelines through the engine against the real cache service and a real folder of artifacts. User code is a pure
function of all that it can see, so that what a hit gives can be compared with what running would have given.

`Laboratory` outlives runs: its cache, store, images, and what was made so far. Used by tests/integration/cache/test_mutations.py.
"""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builders.specs import Pipeline
from builders.worlds import World, plan_of, succeeded
from headrace_companion.machine_store import MachineStore
from headrace_companion.remote.fetching import AS_IT_IS, Fetcher
from headrace_companion.remote.sources import Ambient
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.caching import CacheClient
from headrace_scheduler.engine import PlanIndex, RunState
from headrace_scheduler.engine import commands as c
from headrace_scheduler.engine import facts as f
from headrace_scheduler.engine.beginning import prepared_of
from headrace_scheduler.engine.launching import launch
from headrace_scheduler.executors.port import Launch
from headrace_scheduler.identifying import Identifier
from headrace_scheduler.verifying import checks


@dataclass
class Verdicts:
    """What became of the lookups."""

    hits: int = 0
    misses: int = 0
    false_hits: list[str] = field(default_factory=list)
    surprise_misses: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return self.hits + self.misses


@dataclass
class Laboratory:
    """`service` is a Cache stub."""

    service: Any
    folder: Path
    images: dict[str, str] = field(default_factory=dict)  # what the registry has for a tag
    verdicts: Verdicts = field(default_factory=Verdicts)
    made: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)  # scope and truth → URIs that a hit needs
    recent: set[str] = field(default_factory=set)  # artifacts of the last run

    def __post_init__(self) -> None:
        self.store = MachineStore(self.folder / "store")
        self.store.folder.mkdir()
        remote = Fetcher(self.folder / "imports", AS_IT_IS, Ambient())
        identifier = Identifier(self.store, remote, self._image)
        self.client = CacheClient(self.service, checks(self.store, "exists"), identifier)

    async def _image(self, image: str, namespace: str, secrets: Any, ran: str) -> str:
        return self.images.get(image, "")

    async def run(self, flow: Pipeline, inputs: dict[str, Any], what: str, *, refresh: tuple[str, ...] = ()) -> World:
        """One run to its end; every lookup is judged."""
        self.recent.clear()
        world = CachedWorld(flow, inputs, enable_cache=None)
        world.begin(self, refresh)
        await world.finish(what)
        if world.outcome != "SUCCEEDED":
            self.verdicts.failures.append(f"{what}: {world.error().message}")
        return world

    # ---- what user code sees and makes

    def seen(self, one: Launch) -> str:
        """A digest of all that the results of a task may depend on."""
        told = {
            "image": [one.image, self.images.get(one.image, "")],
            "command": [one.command, one.args, dict(sorted(one.env.items()))],
            "parameters": {name: json.loads(text) for name, text in one.parameters.items()},
            "inputs": {name: [self._content(each) for each in group.artifacts] for name, group in one.inputs.items()},
            "secrets": [[each.name, each.source, each.key] for each in one.settings.env],
            "outputs": [dict(one.output_parameters), [each.name for each in one.output_artifacts]],
            "types": [f"{each.schema_title} {each.metadata_json}" for each in one.output_artifacts],
        }
        text = json.dumps(told, sort_keys=True, default=list)
        return hashlib.sha256(text.encode()).hexdigest()

    def _content(self, one: ev.Artifact) -> list[str]:
        """Raises where it is gone: a consumer must never meet that."""
        key = self.store.key(one.uri)
        assert key is not None
        return [self.store.read(key).decode(), one.schema_title, one.metadata_json]

    def execute(self, one: Launch) -> Any:
        truth = self.seen(one)
        artifacts = {}
        for declared in one.output_artifacts:
            uri = f"{one.task_root}/{declared.name}"
            stored = self.store.put_bytes(self.store.key(uri) or "", f"{declared.name} of {truth}".encode())
            artifacts[declared.name] = (uri, stored.digest, declared.schema_title)
        result = succeeded(dict.fromkeys(one.output_parameters, truth))
        for name, (uri, digest, title) in artifacts.items():
            result.outputs.artifacts[name].artifacts.add(
                artifact_id=str(uuid.uuid4()), name=name, uri=uri, digest=digest, schema_title=title
            )
        return result

    # ---- judging

    def judge(self, one: Launch, command: c.AskCache, fact: f.CacheAnswered, what: str) -> None:
        """A hit must give what running would have given; what was made before and is whole must be a hit."""
        truth = self.seen(one)
        scope = (one.namespace, one.pipeline_name, truth)
        if fact.found:
            self.verdicts.hits += 1
            assert fact.outputs is not None
            self.recent.update(each.uri for group in fact.outputs.artifacts.values() for each in group.artifacts)
            told = {value.json for value in fact.outputs.parameters.values()}
            contents = [self._content(each)[0] for group in fact.outputs.artifacts.values() for each in group.artifacts]
            if told - {json.dumps(truth)} or any(truth not in text for text in contents):
                self.verdicts.false_hits.append(f"{what}: {one.task_key}")
            return
        self.verdicts.misses += 1
        known = self.made.get(scope)
        whole = known is not None and all(self.store.exists(self.store.key(uri) or "") for uri in known)
        if whole and not command.refresh and not fact.held_by:
            self.verdicts.surprise_misses.append(f"{what}: {one.task_key}")

    def committed(self, one: Launch, command: c.CommitCache) -> None:
        uris = [each.uri for group in command.outputs.artifacts.values() for each in group.artifacts]
        self.recent.update(uris)
        self.made[one.namespace, one.pipeline_name, self.seen(one)] = uris

    def delete_something(self, rng: random.Random) -> None:
        """One artifact that the last run read or made goes behind everybody's back."""
        self.store.delete(self.store.key(rng.choice(sorted(self.recent))) or "")


@dataclass
class CachedWorld(World):
    """Its commands for the cache go to the laboratory's client."""

    def begin(self, laboratory: Laboratory, refresh: tuple[str, ...]) -> None:
        self.laboratory = laboratory
        self.run_id = str(uuid.uuid4())
        self.plan = PlanIndex(plan_of(self.flow), laboratory.store.root)  # type: ignore[arg-type]
        self.rows.run.run_id = self.run_id
        self.rows.run.caching.refresh.extend(refresh)
        self.behaviour = laboratory.execute
        self.state = RunState.load(self.plan, self.rows.snapshot())

    async def finish(self, what: str) -> None:
        """To the run's end; held tasks ask again as soon as nothing else is left to do."""
        self.tell()
        while not self.state.is_terminal:
            commands, self.commands = self.commands, []
            facts = await self._asked([one for one in commands if isinstance(one, c.AskCache)], what)
            facts += [fact for one in commands if not isinstance(one, c.AskCache) for fact in self.answer(one)]
            await self._settle(commands)
            if facts:
                self.tell(*facts)
            elif not self.pass_time(commands):
                break
        await self._settle(self.commands)

    async def _asked(self, asked: list[c.AskCache], what: str) -> list[f.Fact]:
        if not asked:
            return []
        answers = await self.laboratory.client.ask([(self.run_id, one) for one in asked])
        for one, (_, fact) in zip(asked, answers, strict=True):
            self.laboratory.judge(self._launch(one.path), one, fact, what)
        return [fact for _, fact in answers]

    async def _settle(self, commands: list[c.Command]) -> None:
        commits = [(self.run_id, one) for one in commands if isinstance(one, c.CommitCache)]
        releases = [(self.run_id, one) for one in commands if isinstance(one, c.ReleaseCache)]
        if commits:
            await self.laboratory.client.commit(commits)
            for _, one in commits:
                self.laboratory.committed(self.launches[f"{one.path}#1"], one)
        if releases:
            await self.laboratory.client.release(releases)

    def _launch(self, path: str) -> Launch:
        row = self.state.known(path)
        return launch(self.state, row, prepared_of(self.state, row))
