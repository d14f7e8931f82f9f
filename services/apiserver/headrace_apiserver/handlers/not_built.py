"""Answers for the parts of the KFP API that are declared but not built: NOT_IMPLEMENTED with a sentence.

Called by the gateway and the gRPC server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from google.protobuf.message import Message

from headrace_protos.kfp.v2beta1 import auth_pb2, filter_pb2, recurring_run_pb2, report_pb2, visualization_pb2
from headrace_servicekit.errors import Reason, ServiceError

_FILES: Final = (auth_pb2, filter_pb2, recurring_run_pb2, report_pb2, visualization_pb2)
DESCRIPTORS: Final = tuple(
    service for file in _FILES for service in file.DESCRIPTOR.services_by_name.values()
)  # fmt: skip
_SENTENCES: Final = {
    "RecurringRunService": "recurring runs are not built yet; create runs one by one with /apis/v2beta1/runs",
    "ReportService": "there is no workflow controller to report: Headrace's scheduler keeps the state of runs itself",
    "AuthService": "there is one user and no authorization yet",
    "VisualizationService": "visualizations are not made by the server",
    "DummyFilterService": "this call only declares the Filter message",
}


class NotBuilt:
    """A handler object for any of DESCRIPTORS: every method refuses."""

    def __init__(self, service: str) -> None:
        self._sentence = _SENTENCES[service]

    def __getattr__(self, rpc: str) -> Callable[[Message, Any], Awaitable[Message]]:
        if rpc.startswith("_"):
            raise AttributeError(rpc)

        async def refuse(request: Message, context: Any) -> Message:
            raise ServiceError(Reason.NOT_IMPLEMENTED, self._sentence)

        return refuse
