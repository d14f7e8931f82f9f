"""Where a channel's value comes from, as seen by who wants it: which DAG has it at hand, and what it is called there. Pure.

Values that leave a group (Collected, OneOf) are surfaced here: every group on the way out gets an output. Called by the passes
that carry values into groups and bind the inputs of tasks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headrace.compiler.tree import Path, Tree
from headrace.dsl.channels import (
    ArtifactChannel,
    Channel,
    Collected,
    LoopArtifact,
    LoopItem,
    LoopItemField,
    OneOf,
    ParameterChannel,
)
from headrace.dsl.groups import Group, path_of
from headrace.dsl.naming import HANDED

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """`name`: unique in the pipeline; inputs that hand it on are named after it. `home`: the group in whose DAG it is at hand;
    `reference`: how the tasks of that DAG refer to it. `definition`: what a group declares that is handed it. `over`: what
    a loop's item is an item of, and what a field is a field of. `field`: of an item; else "". `producer` and `key`: the task or
    group and its output, where it is one. `channel`: whose source it is, as one that shares it was met first.
    """

    name: str
    home: Group
    producer: str
    reference: Json
    definition: Json
    artifact: bool
    channel: Channel
    over: Source | None = None
    field: str = ""
    key: str = ""

    @property
    def handed(self) -> str:
        """The name of the input through which a group is handed it."""
        return HANDED + self.name

    def same(self, other: Source) -> bool:
        """Whether both are one value: channels that are made anew each time may stand for it."""
        if self is other:
            return True
        if self.home is not other.home or self.reference != other.reference or self.field != other.field:
            return False
        if self.over is None or other.over is None:
            return self.over is other.over
        return self.over.same(other.over)

    def referred_from(self, dag: Group) -> Json:
        """How a task of DAG refers to it; DAG has been handed it, or is its home."""
        if self.field and self.over is not None:
            return {
                **self.over.referred_from(dag),
                "parameterExpressionSelector": f'parseJson(string_value)["{self.field}"]',
            }
        if dag is self.home:
            return self.reference
        return {"componentInputArtifact" if self.artifact else "componentInputParameter": self.handed}


@dataclass(frozen=True, slots=True)
class Surfaced:
    """An output of a group: of what type, and which tasks of its DAG put it out (several where one of several branches does)."""

    definition: Json
    artifact: bool
    producers: tuple[tuple[str, str], ...]
    one_of: bool = False


class SameName(Exception):  # noqa: N818  # no error: the passes begin again with another name
    """Two values would cross one boundary under one name; `channel` is to be named otherwise."""

    def __init__(self, one: Source, other: Source) -> None:
        super().__init__(f"{one.name} is the name of two values")
        deeper = max(one, other, key=lambda each: len(path_of(each.home)))
        while deeper.field and deeper.over is not None:
            deeper = deeper.over
        self.channel = deeper.channel


class Sources:
    """Sources by channel. `surfaced`: the outputs of each group, by name; filled as channels are asked for.

    Names are KFP's. Where they are not unique (a loop over the list that a loop around it is over, too), KFP's compiler confuses
    the values; RENAMED has the channels whose names ours changes.
    """

    def __init__(self, tree: Tree, renamed: Sequence[Channel] = ()) -> None:
        self._tree = tree
        self._renamed = {id(channel): number for number, channel in enumerate(renamed, start=2)}
        self._known: dict[Any, Source] = {}
        self._kept: list[Channel] = []  # what ids stand for must not be freed
        self.surfaced: defaultdict[Group, dict[str, Surfaced]] = defaultdict(dict)

    def of(self, channel: Channel, wanted_by: Path) -> Source:
        """The source of CHANNEL for what stands in the innermost group of WANTED_BY."""
        if not isinstance(channel, Collected):
            key: Any = id(channel)
        else:
            key = (id(channel), wanted_by[-1])
        known = self._known.get(key)
        if known is None:
            self._kept.append(channel)
            known = self._known[key] = self._find(channel, wanted_by)
        return known

    def _name(self, channel: Channel, name: str) -> str:
        number = self._renamed.get(id(channel))
        return name if number is None else f"{name}-{number}"

    def _find(self, channel: Channel, wanted_by: Path) -> Source:
        if isinstance(channel, LoopItem | LoopArtifact):
            return self._item(channel)
        if isinstance(channel, LoopItemField):
            item = self.of(channel.item, wanted_by)
            name = f"{item.name}-subvar-{channel.field}"
            return Source(name, item.home, "", {}, definition(channel), False, channel, item, channel.field)
        if isinstance(channel, Collected):
            return self._collected(channel, wanted_by)
        if isinstance(channel, OneOf):
            return self._one_of(channel)
        if channel.producer is None:
            return _input_of_pipeline(channel, self._tree.root)
        home, declared = channel.producer.parent, definition(channel)
        return self._output(channel, channel.producer.name, channel.name, home, declared, is_artifact(channel))

    def _item(self, channel: LoopItem | LoopArtifact) -> Source:
        artifact = isinstance(channel, LoopArtifact)
        over = None
        if channel.items is not None:
            over = self.of(channel.items, self._tree.path_of(channel.loop))
        name = channel.name if over is None else f"{over.name}-loop-item"
        name = self._name(channel, name)
        reference = {"componentInputArtifact" if artifact else "componentInputParameter": HANDED + name}
        return Source(name, channel.loop, "", reference, definition(channel), artifact, channel, over)

    def _collected(self, channel: Collected, wanted_by: Path) -> Source:
        inner = self.of(channel.of, wanted_by)
        inside = self._tree.paths[inner.home]
        shared = self._tree.shared(inside, wanted_by)
        listed = as_list(inner)
        producer, key = self._surface(inner, inside[shared:], listed)
        return self._output(channel, producer, key, inside[shared - 1], listed, inner.artifact)

    def _one_of(self, channel: OneOf) -> Source:
        branches = channel.branches
        depth = len(self._tree.paths[branches])
        inners = [self.of(one, self._tree.paths[branches]) for one in channel.of]
        producers = tuple(
            self._surface(inner, self._tree.paths[inner.home][depth:], inner.definition) for inner in inners
        )
        first = inners[0]
        output = Surfaced(first.definition, first.artifact, producers, one_of=True)
        self.surfaced[branches].setdefault(channel.name, output)
        parent = self._tree.path_of(branches)[-1]
        return self._output(channel, branches.name, channel.name, parent, first.definition, first.artifact)

    def _surface(self, inner: Source, groups: Path, declared: Json) -> tuple[str, str]:
        """Make INNER an output of all GROUPS, from the inside out; the outermost of them and the name it has there."""
        producer, key = inner.producer, inner.key
        for group in reversed(groups):
            output = self.surfaced[group].setdefault(
                inner.handed, Surfaced(declared, inner.artifact, ((producer, key),))
            )
            if output.producers != ((producer, key),):
                raise SameName(inner, inner)
            producer, key = group.name, inner.handed
        return producer, key

    def _output(self, channel: Channel, producer: str, key: str, home: Group, declared: Json, artifact: bool) -> Source:
        reference: Json
        if artifact:
            reference = {"taskOutputArtifact": {"outputArtifactKey": key, "producerTask": producer}}
        else:
            reference = {"taskOutputParameter": {"outputParameterKey": key, "producerTask": producer}}
        name = self._name(channel, f"{producer}-{key}")
        return Source(name, home, producer, reference, declared, artifact, channel, key=key)


def definition(channel: Channel) -> Json:
    """What a group declares of CHANNEL."""
    if isinstance(channel, ArtifactChannel):
        artifact: Json = {
            "artifactType": {"schemaTitle": channel.type.schema_title, "schemaVersion": channel.type.schema_version}
        }
        if channel.is_list:
            artifact["isArtifactList"] = True
        return artifact
    assert isinstance(channel, ParameterChannel)
    return {"parameterType": str(channel.type)}


def is_artifact(channel: Channel) -> bool:
    """Whether CHANNEL carries an artifact, or a list of them."""
    return isinstance(channel, ArtifactChannel)


def as_list(source: Source) -> Json:
    """What many of SOURCE, collected, are."""
    if source.artifact:
        return {**source.definition, "isArtifactList": True}
    return {"parameterType": "LIST"}


def _input_of_pipeline(channel: Channel, root: Group) -> Source:
    artifact = is_artifact(channel)
    reference = {"componentInputArtifact" if artifact else "componentInputParameter": channel.name}
    return Source(channel.name, root, "", reference, definition(channel), artifact, channel)
