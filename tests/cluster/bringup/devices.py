"""A stand-in device plugin: announces devices of one resource to a node's kubelet, which then schedules and allots them.

Run as a program for each resource (`python -m cluster.bringup.devices FOLDER RESOURCE COUNT`). A container that gets
devices sees their ids in NVIDIA_VISIBLE_DEVICES (of NVIDIA's) or in AMD_VISIBLE_DEVICES. A kubelet that starts again
empties the folder: the plugin sees its socket gone and registers anew.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "v1beta1"
STRING, BOOL, MESSAGE = 9, 8, 11
LOOK_EVERY_S = 0.5
# The part of the device plugin API that is used: message → fields in the order of their numbers (name, number, kind, repeated).
MESSAGES: dict[str, list[tuple[str, int, int | str, bool]]] = {
    "Empty": [],
    "DevicePluginOptions": [("pre_start_required", 1, BOOL, False)],
    "RegisterRequest": [
        ("version", 1, STRING, False),
        ("endpoint", 2, STRING, False),
        ("resource_name", 3, STRING, False),
    ],
    "Device": [("ID", 1, STRING, False), ("health", 2, STRING, False)],
    "ListAndWatchResponse": [("devices", 1, "Device", True)],
    "ContainerAllocateRequest": [("devices_ids", 1, STRING, True)],
    "AllocateRequest": [("container_requests", 1, "ContainerAllocateRequest", True)],
    "Variable": [("key", 1, STRING, False), ("value", 2, STRING, False)],  # an entry of the map `envs`, as on the wire
    "ContainerAllocateResponse": [("envs", 1, "Variable", True)],
    "AllocateResponse": [("container_responses", 1, "ContainerAllocateResponse", True)],
}


def messages() -> dict[str, type]:
    file = descriptor_pb2.FileDescriptorProto(name="device_plugin.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            made = message.field.add(name=field, number=number, label=3 if repeated else 1)
            made.type = kind if isinstance(kind, int) else MESSAGE
            if isinstance(kind, str):
                made.type_name = f".{PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in MESSAGES}


class Plugin:
    """The four calls that a kubelet makes."""

    def __init__(self, resource: str, count: int) -> None:
        self.types = messages()
        self.variable = f"{resource.partition('.')[0].upper()}_VISIBLE_DEVICES"
        self.ids = [f"{resource.rpartition('/')[2]}-{number}" for number in range(count)]

    def options(self, _request, _context):
        return self.types["DevicePluginOptions"]()

    def list_and_watch(self, _request, context):
        devices = [self.types["Device"](ID=one, health="Healthy") for one in self.ids]
        yield self.types["ListAndWatchResponse"](devices=devices)
        while context.is_active():
            time.sleep(LOOK_EVERY_S)

    def allocate(self, request, _context):
        answers = []
        for one in request.container_requests:
            variable = self.types["Variable"](key=self.variable, value=",".join(one.devices_ids))
            answers.append(self.types["ContainerAllocateResponse"](envs=[variable]))
        return self.types["AllocateResponse"](container_responses=answers)

    def handlers(self):
        def unary(call, request):
            return grpc.unary_unary_rpc_method_handler(
                call, self.types[request].FromString, lambda answer: answer.SerializeToString()
            )

        calls = {
            "GetDevicePluginOptions": unary(self.options, "Empty"),
            "Allocate": unary(self.allocate, "AllocateRequest"),
            "ListAndWatch": grpc.unary_stream_rpc_method_handler(
                self.list_and_watch, self.types["Empty"].FromString, lambda answer: answer.SerializeToString()
            ),
        }
        return grpc.method_handlers_generic_handler(f"{PACKAGE}.DevicePlugin", calls)


def serve(folder: Path, resource: str, count: int) -> None:
    """Registers, and again whenever the kubelet has emptied the folder."""
    plugin = Plugin(resource, count)
    socket = folder / f"{resource.replace('/', '-')}.sock"
    while True:
        while not (folder / "kubelet.sock").exists():
            time.sleep(LOOK_EVERY_S)
        socket.unlink(missing_ok=True)
        server = grpc.server(ThreadPoolExecutor(4), handlers=[plugin.handlers()])
        server.add_insecure_port(f"unix://{socket}")
        server.start()
        try:
            _register(plugin, folder, socket.name, resource)
            print(f"registered {count} x {resource}", flush=True)
            while socket.exists():
                time.sleep(LOOK_EVERY_S)
        except grpc.RpcError as error:
            print(f"not registered: {error}", flush=True)
            time.sleep(LOOK_EVERY_S)
        server.stop(None)


def _register(plugin: Plugin, folder: Path, endpoint: str, resource: str) -> None:
    with grpc.insecure_channel(f"unix://{folder}/kubelet.sock") as channel:
        call = channel.unary_unary(
            f"/{PACKAGE}.Registration/Register",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=plugin.types["Empty"].FromString,
        )
        call(plugin.types["RegisterRequest"](version=PACKAGE, endpoint=endpoint, resource_name=resource), timeout=10)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
