"""Calls every method of every service with the independent gRPC client, knowing nothing but what reflection says.

usage: call_services.py NAME=HOST:PORT...          with a key in the environment, as TOCSIN_TEST_KEY

Each method is called with an empty request, first without a key, then with it. It prints one JSON object:
{service: {method: {"without": code, "with": code, "reason": the ErrorInfo's}}}.
"""

import json
import os
import sys

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

CALL_SECONDS = 10
STREAM_SECONDS = 2
OURS = "tocsin."
HEALTH = "grpc.health.v1.Health"


class Door:
    """One server, as far as its reflection tells."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)

    def services(self):
        return sorted(self.database.get_services())

    def new(self, name, **fields):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))(**fields)

    def call(self, service, method, request, key=None):
        """The code, the reason of a refusal, and the answer; of a stream, its first message."""
        path = f"/{service}/{method.name}"
        answer_type = message_factory.GetMessageClass(method.output_type)
        make = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        stub = make(path, type(request).SerializeToString, answer_type.FromString)
        metadata = [("authorization", f"Bearer {key}")] if key else []
        try:
            answer = stub(request, timeout=STREAM_SECONDS if method.server_streaming else CALL_SECONDS, metadata=metadata)
            return "OK", "", next(answer) if method.server_streaming else answer
        except grpc.RpcError as error:
            if method.server_streaming and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                # The stream was open, and nothing came.
                return "OK", "", None
            return error.code().name, reason(error), None


def reason(error):
    """The reason in the google.rpc.ErrorInfo of a refusal."""
    for detail in getattr(rpc_status.from_call(error), "details", ()):
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return ""


def look(address, key):
    door = Door(address)
    found = {}
    for name in door.services():
        if not name.startswith(OURS):
            continue
        found[name] = {}
        for method in door.pool.FindServiceByName(name).methods:
            request = message_factory.GetMessageClass(method.input_type)()
            without, _, _ = door.call(name, method, request)
            code, said, _ = door.call(name, method, request, key)
            found[name][method.name] = {"without": without, "with": code, "reason": said}
    return found, door


def health(door, service):
    check = door.pool.FindServiceByName(HEALTH).methods_by_name["Check"]
    request = door.new("grpc.health.v1.HealthCheckRequest", service=service)
    code, _, answer = door.call(HEALTH, check, request)
    status = answer.DESCRIPTOR.fields_by_name["status"].enum_type.values_by_number[answer.status].name if answer else ""
    return {"code": code, "status": status}


def main():
    key = os.environ["TOCSIN_TEST_KEY"]
    report = {"services": {}, "health": {}}
    for argument in sys.argv[1:]:
        name, address = argument.split("=", 1)
        found, door = look(address, key)
        report["services"].update(found)
        report["health"][name] = health(door, name)
    print(json.dumps(report))


main()
