"""Bags: the inputs or outputs of one execution, as Python values and as the message that events carry.

Each form is made from the other when it is first needed, so that a value that only passes through is neither decoded
nor encoded twice. Immutable in effect. Null parameters are not kept: absent and null are the same (kfp-semantics 2.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from headrace_ir.values import Value, decode, encode
from headrace_protos.v1 import events_pb2 as ev

_UNREAD = object()


class Bag:
    """Parameters by name and artifact lists by name."""

    __slots__ = ("_message", "_values", "artifacts")

    def __init__(
        self,
        values: dict[str, Value],
        artifacts: Mapping[str, ev.ArtifactList],
        message: ev.Values | None = None,
    ) -> None:
        self._values: dict[str, object] = dict(values)
        self.artifacts = artifacts
        self._message = message

    @classmethod
    def of_message(cls, message: ev.Values) -> Bag:
        """The bag that was recorded."""
        made = cls({}, message.artifacts, message)
        made._values = dict.fromkeys(message.parameters, _UNREAD)
        return made

    def parameter(self, name: str) -> Value:
        """The value; None where there is none."""
        value = self._values.get(name)
        if value is _UNREAD:
            assert self._message is not None, "only recorded values are unread"
            value = self._values[name] = decode(self._message.parameters[name].json or "null")
        return value  # type: ignore[return-value]  # _UNREAD was replaced above

    def names(self) -> Iterable[str]:
        """The names of its parameters."""
        return self._values.keys()

    def parameters(self) -> Iterator[tuple[str, Value]]:
        """All parameters."""
        for name in tuple(self._values):
            yield name, self.parameter(name)

    def message(self) -> ev.Values:
        """What an event carries; not to be changed."""
        if self._message is None:
            message = ev.Values()
            for name, value in self._values.items():
                if value is not None:
                    message.parameters[name].json = encode(value)  # type: ignore[arg-type]  # never unread without message
            for name, artifacts in self.artifacts.items():
                message.artifacts[name].CopyFrom(artifacts)
            self._message = message
        return self._message


EMPTY = Bag({}, {}, ev.Values())
