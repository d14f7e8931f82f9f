"""Values that lie in the artifact store: above 32 KiB of canonical JSON a value travels as a reference. Pure, no I/O.

A reference says where the text is, how long, its digest, and what kind of JSON it is; so that passing it on, checking it
against a declared type and recognising it again need no content. Made by the companion (outputs of user code) and by the
engine (lists and constants that it makes); read by whoever needs the content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from headrace_ir.values import (
    INLINE_BYTES,
    Declared,
    ParameterType,
    Value,
    ValueProblem,
    byte_length,
    declared_type,
    encode,
    is_struct,
)
from headrace_protos.v1 import events_pb2


@dataclass(frozen=True, slots=True)
class ValueRef:
    """Canonical JSON text in the store: `size` in bytes, `digest` sha256:…; `type` is STRING, LIST or STRUCT ("" unknown)."""

    uri: str
    size: int
    digest: str
    type: str = ""

    @property
    def shown(self) -> str:
        """For sentences: `LIST of 120000 bytes`."""
        return f"{self.type or 'value'} of {self.size} bytes"


# A value where it may be either: itself, or where it lies.
Held: TypeAlias = "Value | ValueRef"


def is_large(text: str) -> bool:
    """Whether a value with this canonical text travels by reference."""
    if len(text) > INLINE_BYTES:
        return True
    return len(text) * 4 > INLINE_BYTES and byte_length(text) > INLINE_BYTES


def digest_of(data: bytes) -> str:
    """The digest of a stored text."""

    return "sha256:" + hashlib.sha256(data).hexdigest()


def type_of_text(text: str) -> str:
    """What kind of value a large canonical text is; only these three kinds can be large."""
    return {'"': "STRING", "[": "LIST", "{": "STRUCT"}.get(text[:1], "")


def reference_of(message: events_pb2.Value) -> ValueRef:
    """The reference in a message."""
    return ValueRef(message.uri, message.size, message.digest, message.type)


def write_reference(message: events_pb2.Value, ref: ValueRef) -> None:
    """Put the reference into a message."""
    message.uri, message.size, message.digest, message.type = ref.uri, ref.size, ref.digest, ref.type


def passes(
    subject: str, declared: Declared, ref: ValueRef, literals: Sequence[Value] = (), *, text: bool = True
) -> bool:
    """Whether a referenced value is taken as it is; False: only its content can tell. Raises ValueProblem where it is not.

    `text`: a STRING takes the text form of any value, as inputs of tasks do; then a list or struct needs its content.
    """
    kind = declared_type(declared)
    if literals and any(byte_length(encode(literal)) > INLINE_BYTES for literal in literals):
        return False
    if not ref.type:
        return kind is None and not literals
    if kind is ParameterType.STRING and ref.type != "STRING" and text:
        return False
    if kind is not None and not _fits(kind, ref.type):
        raise ValueProblem(f"{subject} expects {kind.value}, got a {ref.shown}")
    if literals:
        allowed = ", ".join(encode(literal) for literal in literals)
        raise ValueProblem(f"{subject} must be one of {allowed}; got a {ref.shown}")
    return True


def _fits(kind: ParameterType, found: str) -> bool:
    return found == ("STRUCT" if is_struct(kind) else kind.value)
