"""The table of REST routes, read from the google.api.http annotations of the services' descriptors.

Pure. Built once by gateway.app; `RouteTable.find` is called for each request.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from google.api import annotations_pb2, http_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from headrace_apiserver.gateway.paths import PathTemplate, compile_template

_VERBS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True, slots=True)
class Route:
    """One way to call one rpc. `body` is a field's name, "*" for the whole request, or "" for none."""

    http_method: str
    template: PathTemplate
    body: str
    service: str
    rpc: str
    streaming: bool
    request_class: type[Message]

    @property
    def bound(self) -> frozenset[str]:
        """Fields that the query cannot set, because path or body does."""
        return frozenset({*self.template.fields, self.body} - {""})


@dataclass(frozen=True, slots=True)
class Found:
    """A route and what its path says."""

    route: Route
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class NotFound:
    """No route; `other_method` where the path exists for another HTTP method."""

    other_method: bool


@dataclass(frozen=True, slots=True)
class RouteTable:
    """All routes, the most specific path first."""

    routes: tuple[Route, ...]

    def find(self, http_method: str, raw_path: str) -> Found | NotFound:
        """The route for a request."""
        other_method = False
        for route in self.routes:
            fields = route.template.match(raw_path)
            if fields is None:
                continue
            if route.http_method == http_method:
                return Found(route, fields)
            other_method = True
        return NotFound(other_method)


def route_table(services: Iterable[ServiceDescriptor]) -> RouteTable:
    """The routes of these services."""
    found = [route for service in services for method in service.methods for route in _routes(service, method)]
    # A path with a verb must be tried before the same path whose last variable would swallow the verb.
    found.sort(key=lambda route: (route.template.rank, -len(route.template.text)))
    return RouteTable(tuple(found))


def _routes(service: ServiceDescriptor, method: MethodDescriptor) -> list[Route]:
    if not method.GetOptions().HasExtension(annotations_pb2.http):
        return []
    rule: http_pb2.HttpRule = method.GetOptions().Extensions[annotations_pb2.http]
    request_class = message_factory.GetMessageClass(method.input_type)
    routes = []
    for binding in (rule, *rule.additional_bindings):
        verb = binding.WhichOneof("pattern")
        if verb not in _VERBS:
            raise ValueError(f"{service.full_name}.{method.name}: unknown kind of REST binding {verb}")
        template = compile_template(getattr(binding, verb))
        routes.append(
            Route(
                http_method=verb.upper(),
                template=template,
                body=binding.body,
                service=service.full_name,
                rpc=method.name,
                streaming=method.server_streaming,
                request_class=request_class,
            )
        )
    return routes
