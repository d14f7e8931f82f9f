"""One HTTP request to one request message: path, query and body, as the route says.

Pure. Called by gateway.calling. Errors are ValueErrors whose text a client may see.
"""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import Message

from headrace_apiserver.gateway.json_rules import json_to_tree, tree_to_message
from headrace_apiserver.gateway.query import fill_from_path, fill_from_query
from headrace_apiserver.gateway.routes import Found


def bind(found: Found, query: Iterable[tuple[str, str]], body: bytes) -> Message:
    """The request message. Path wins over body, body over query."""
    route = found.route
    request = route.request_class()
    if route.body:
        _fill_from_body(request, route.body, body)
    if route.body != "*":
        fill_from_query(request, query, route.bound)
    fill_from_path(request, found.fields)
    return request


def _fill_from_body(request: Message, field: str, body: bytes) -> None:
    tree = json_to_tree(body)
    if tree is None:
        return
    if field == "*":
        tree_to_message(tree, request)
        return
    inner = request.DESCRIPTOR.fields_by_name[field]
    if inner.message_type is None or inner.is_repeated:
        tree_to_message({field: tree}, request)
        return
    target = getattr(request, field)
    target.SetInParent()
    tree_to_message(tree, target)
