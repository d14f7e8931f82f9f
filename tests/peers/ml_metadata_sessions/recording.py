"""What a session with a store answered, as JSON that another store's answers can be compared with.

Runs in .venv-mlmd. Ids become the order in which they were first seen, times become whether they are set; errors are their class.
The types that Headrace has for what runs make are left out: no other store has them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from ml_metadata import MetadataStore, errors
from ml_metadata.proto import metadata_store_pb2 as ms

TIMES = {"create_time_since_epoch", "last_update_time_since_epoch", "milliseconds_since_epoch"}
NODES = {"Artifact": "artifact", "Execution": "execution", "Context": "context"}
TYPES = {"ArtifactType": "artifact type", "ExecutionType": "execution type", "ContextType": "context type"}
ENDS = {
    "artifact_id": "artifact",
    "execution_id": "execution",
    "context_id": "context",
    "child_id": "context",
    "parent_id": "context",
}
# The official store leaves external ids out of these lists; differences_session.py has that.
UNTOLD = {f"get_{kind}_types" for kind in NODES.values()}


class Recorder:
    """One store, and what it was asked and answered."""

    def __init__(self, store: MetadataStore) -> None:
        self.store = store
        self.steps: list[dict[str, Any]] = []
        self.called: set[str] = set()
        self._symbols: dict[tuple[str, int], str] = {}
        self._counts: dict[str, int] = {}
        self.known_times: set[int] = set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A method of the store: what it answers is recorded, and returned where it is no error."""
        method = getattr(self.store, name)

        def call(*arguments: Any, kind: str = "", note: str = "", **named: Any) -> Any:
            self.called.add(name)
            return self.record(name, lambda: method(*arguments, **named), kind=kind, note=note)

        return call

    def raw(self, rpc: str, request: Message, response: Message, *, note: str = "") -> Any:
        """An rpc with a request that the client has no method for."""

        def call() -> Message:
            self.store._call(rpc, request, response)
            return response

        return self.record(rpc, call, note=note)

    def record(self, name: str, call: Callable[[], Any], *, kind: str = "", note: str = "") -> Any:
        try:
            answer = call()
        except errors.StatusError as failed:
            self._step(name, note, error=type(failed).__name__)
            return None
        except (ValueError, TypeError) as failed:
            self._step(name, note, error=f"{type(failed).__name__}: {failed}")
            return None
        self._step(name, note, answer=self._told(answer, kind, name))
        return answer

    def same(self, note: str, value: Any) -> None:
        """Record something that was found out from answers."""
        self._step("same", note, answer=value)

    def _step(self, name: str, note: str, **told: Any) -> None:
        self.steps.append({"number": len(self.steps), "call": name, "note": note, **told})

    def _symbol(self, kind: str, number: int) -> str:
        key = (kind, number)
        if key not in self._symbols:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._symbols[key] = f"{kind} {self._counts[kind]}"
        return self._symbols[key]

    def _told(self, answer: Any, kind: str, name: str = "") -> Any:
        if isinstance(answer, Message):
            return self._message(answer)
        if isinstance(answer, tuple):
            return [self._told(one, part) for one, part in zip(answer, kind.split(",") * len(answer), strict=False)]
        if isinstance(answer, list):
            if answer and all(isinstance(one, int) for one in answer):
                return [one if one < 0 else self._symbol(kind, one) for one in answer]
            told = [self._told(one, kind) for one in answer if not _is_ours(one)]
            if name in UNTOLD:
                told = [{key: value for key, value in one.items() if key != "external_id"} for one in told]
            return sorted(told, key=json.dumps) if name.startswith("get_events") else told  # in no promised order
        if isinstance(answer, int) and kind:
            return self._symbol(kind, answer)
        return answer

    def _message(self, message: Message) -> dict[str, Any]:
        name = message.DESCRIPTOR.name
        told: dict[str, Any] = {}
        if message.DESCRIPTOR.full_name.startswith("google.protobuf."):
            return (
                json.loads(json_format.MessageToJson(message, sort_keys=True)) if "Any" not in name else {"any": True}
            )
        for field, value in message.ListFields():
            told[field.name] = self._field(name, field, value)
        return told

    def _field(self, name: str, field: Any, value: Any) -> Any:
        if field.name in TIMES:
            return value > 0
        if field.name == "next_page_token":
            return bool(value)
        if field.name == "id" and (NODES | TYPES).get(name):
            return self._symbol((NODES | TYPES)[name], value)
        if field.name == "type_id" and name in NODES:
            return self._symbol(f"{NODES[name]} type", value)
        if field.name in ENDS:
            return self._symbol(ENDS[field.name], value)
        if field.name.endswith("_ids"):
            return [one if one < 0 else self._symbol(field.name[:-4].replace("_", " "), one) for one in value]
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return {
                key: self._message(value[key]) if isinstance(value[key], Message) else value[key]
                for key in sorted(value)
            }
        if field.label == field.LABEL_REPEATED:
            told = [self._message(one) if isinstance(one, Message) else one for one in value if not _is_ours(one)]
            if name != "LineageGraph":
                return told
            if field.name.endswith("_types"):
                told = [{key: value for key, value in one.items() if key != "external_id"} for one in told]
            return sorted(told, key=json.dumps)  # in no promised order
        return self._message(value) if isinstance(value, Message) else value


def _is_ours(one: Any) -> bool:
    return isinstance(one, (ms.ArtifactType, ms.ExecutionType, ms.ContextType)) and one.name.startswith("system.")
