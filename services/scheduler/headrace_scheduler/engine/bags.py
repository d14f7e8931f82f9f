"""Bags: the inputs or outputs of one execution, as Python values, as JSON texts and as the message that events carry.

Each form is made from another when it is first needed, so that a value that only passes through is neither decoded nor
encoded. A large value is a reference (headrace_ir.references) in every form. Immutable in effect. Null parameters are not
kept: absent and null are the same (kfp-semantics 2.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from sys import intern

from headrace_ir.references import Held, ValueRef, reference_of, write_reference
from headrace_ir.values import encode, recorded
from headrace_protos.v1 import events_pb2 as ev

_UNREAD = object()


class Bag:
    """Parameters by name and artifact lists by name."""

    __slots__ = ("_message", "_texts", "_values", "artifacts")

    def __init__(
        self,
        values: Mapping[str, Held],
        artifacts: Mapping[str, ev.ArtifactList],
        message: ev.Values | None = None,
    ) -> None:
        self._values: dict[str, object] = dict(values)
        self._texts: dict[str, str | ValueRef] = {}
        self.artifacts = artifacts
        self._message = message

    @classmethod
    def of_message(cls, message: ev.Values) -> Bag:
        """The bag that was recorded."""
        made = cls({}, message.artifacts, message)
        made._values = dict.fromkeys(message.parameters, _UNREAD)
        return made

    @classmethod
    def of_texts(cls, texts: Mapping[str, str | ValueRef], artifacts: Mapping[str, ev.ArtifactList]) -> Bag:
        """A bag of values whose canonical texts are known."""
        made = cls({}, artifacts)
        made._values = dict.fromkeys(texts, _UNREAD)
        made._texts = dict(texts)
        return made

    def parameter(self, name: str) -> Held:
        """The value; None where there is none."""
        value = self._values.get(name)
        if value is _UNREAD:
            text = self.text(name)
            value = self._values[name] = recorded(text) if isinstance(text, str) else text
        return value  # type: ignore[return-value]  # _UNREAD was replaced above

    def text(self, name: str) -> str | ValueRef | None:
        """Its canonical JSON text; None where it is absent or null."""
        known: str | ValueRef | None = self._texts.get(name)
        if known is None and self._values.get(name) is not None:
            known = self._texts[name] = self._written(name)
        return None if known == "null" else known

    def _written(self, name: str) -> str | ValueRef:
        value = self._values[name]
        if value is _UNREAD:
            assert self._message is not None, "only recorded values are unread"
            found = self._message.parameters[name]
            return reference_of(found) if found.uri else found.json or "null"
        return value if isinstance(value, ValueRef) else encode(value)  # type: ignore[arg-type]  # unread: see above

    def names(self) -> Iterable[str]:
        """The names of its parameters."""
        return self._values.keys()

    def parameters(self) -> Iterator[tuple[str, Held]]:
        """All parameters."""
        for name in tuple(self._values):
            yield name, self.parameter(name)

    def texts(self) -> Iterator[tuple[str, str | ValueRef]]:
        """All parameters that are not null, as texts."""
        for name in tuple(self._values):
            if (text := self.text(name)) is not None:
                yield name, text

    def over(self, outer: Bag, item: str) -> Bag:
        """This bag over an outer one, but for the outer's ITEM; what either has read already is not read again."""
        artifacts = {name: one for name, one in outer.artifacts.items() if name != item} | dict(self.artifacts)
        made = Bag({}, artifacts)
        for bag in (outer, self):
            for name, text in bag.texts():
                if bag is self or name != item:
                    made._texts[name] = text
                    made._values[name] = bag.parameter(name)
        return made

    def with_texts(self, texts: Mapping[str, str | ValueRef]) -> Bag:
        """The same bag with other texts for some of its parameters."""
        return Bag.of_texts({**dict(self.texts()), **texts}, self.artifacts)

    def message(self) -> ev.Values:
        """What an event carries; not to be changed."""
        if self._message is None:
            message = ev.Values()
            for name, text in self.texts():
                if isinstance(text, str):
                    message.parameters[name].json = text
                else:
                    write_reference(message.parameters[name], text)
            for name, artifacts in self.artifacts.items():
                message.artifacts[name].CopyFrom(artifacts)
            self._message = message
        return self._message

    def kept(self) -> Bag:
        """The same bag for keeping: its texts alone, without the event that it came with."""
        if not self._values and not self.artifacts:
            return EMPTY
        made = _Kept({}, {name: _own(one) for name, one in self.artifacts.items()} if self.artifacts else _NONE)
        made._texts = {intern(name): text for name, text in self.texts()}
        made._values = _unread(tuple(made._texts))
        return made


class _Kept(Bag):
    """One of very many bags that are hardly ever read: it reads a value each time, and shares what it can."""

    __slots__ = ()

    def parameter(self, name: str) -> Held:
        """The value; None where there is none."""
        text = self.text(name)
        return recorded(text) if isinstance(text, str) else text

    def message(self) -> ev.Values:
        """What an event carries; made each time."""
        return Bag.of_texts(self._texts, self.artifacts).message()


@cache
def _unread(names: tuple[str, ...]) -> dict[str, object]:
    """The values of bags with these parameters, none of them read; shared, so never changed."""
    return dict.fromkeys(names, _UNREAD)


def _own(artifacts: ev.ArtifactList) -> ev.ArtifactList:
    own = ev.ArtifactList()
    own.CopyFrom(artifacts)
    return own


_NONE: Mapping[str, ev.ArtifactList] = {}
EMPTY = Bag({}, {}, ev.Values())
