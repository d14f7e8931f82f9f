"""Errors as KFP's gateway words them: a gRPC code, a message with the chain of what was tried, and the short text in details.

Pure. Called by gateway.calling, gateway.uploads and gateway.guard.
"""

from __future__ import annotations

import json
import re
from typing import Final

from google.rpc import code_pb2

from headrace_servicekit.errors import Reason, ServiceError, code_of

# gRPC code → HTTP status, as grpc-gateway maps them.
HTTP_STATUS: Final = {
    0: 200, 1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 13: 500,
    14: 503, 15: 500, 16: 401,
}  # fmt: skip
# The tags that KFP's clients and tests look for inside `message`.
_TAGS: Final = {
    Reason.INVALID_INPUT: "Invalid input error",
    Reason.INVALID_SPEC: "Invalid input error",
    Reason.INVALID_PARAMETERS: "Invalid input error",
    Reason.TOO_LARGE: "Invalid input error",
    Reason.NOT_FOUND: "ResourceNotFoundError",
    Reason.ALREADY_EXISTS: "Already exist error",
    Reason.WRONG_STATE: "FailedPreconditionError",
    Reason.FORBIDDEN: "PermissionDeniedError",
    Reason.UNAUTHENTICATED: "UnauthenticatedError",
    Reason.UNAVAILABLE: "UnavailableServerError",
    Reason.INTERNAL: "InternalServerError",
}
# Where KFP answers ABORTED (409) for what is a wrong state.
_ABORTED_IN_KFP: Final = frozenset({("DeleteExperiment", Reason.WRONG_STATE)})
_STATUS_TYPE: Final = "type.googleapis.com/google.rpc.Status"


def rpc_error(error: ServiceError, rpc: str) -> tuple[int, bytes]:
    """HTTP status and body for an error that the handler of RPC raised."""
    number: int = code_pb2.ABORTED if (rpc, error.reason) in _ABORTED_IN_KFP else code_of(error.reason)
    tag = _TAGS.get(error.reason)
    short = full_text(error)
    message = ": ".join(part for part in (_tried(rpc), tag, short) if part)
    details = [{"@type": _STATUS_TYPE, "code": number, "message": short}]
    return HTTP_STATUS[number], _json({"code": number, "message": message, "details": details})


def gateway_error(code: int, message: str) -> tuple[int, bytes]:
    """HTTP status and body for an error before any handler: KFP sends no details then."""
    return HTTP_STATUS[code], _json({"code": code, "message": message})


def upload_error(error: ServiceError) -> tuple[int, bytes]:
    """HTTP status and body in the upload endpoints' own shape."""
    number = code_of(error.reason)
    tag = _TAGS.get(error.reason)
    text = full_text(error)
    return HTTP_STATUS[number], _json({"error_message": text, "error_details": f"{tag}: {text}" if tag else text})


def full_text(error: ServiceError) -> str:
    """The message and every detail that it does not say already."""
    lines = [
        f"{detail.field}: {detail.description}" if detail.field else detail.description for detail in error.details
    ]
    return "\n".join([error.message, *(line for line in lines if line not in error.message)])


def _tried(rpc: str) -> str:
    """GetRun → "Failed to get a run"."""
    words = [word.lower() for word in re.findall(r"[A-Z][a-z0-9]*", rpc)]
    if len(words) < 2:
        return f"Failed to {' '.join(words)}"
    article = "" if words[-1].endswith("s") else "a "
    return f"Failed to {words[0]} {article}{' '.join(words[1:])}"


def _json(tree: object) -> bytes:
    return json.dumps(tree, ensure_ascii=False).encode("utf-8", "replace")
