"""Reflection: tools like grpcurl ask which services there are, and how their messages are defined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.descriptor_pool import Default
from google.protobuf.message import DecodeError

from modelserver.errors import BadRequest
from modelserver.grpc.message import Code
from modelserver.grpc.reflection_pb2 import (
    ErrorResponse,
    FileDescriptorResponse,
    ListServiceResponse,
    ServerReflectionRequest,
    ServerReflectionResponse,
    ServiceResponse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def answering(services: Sequence[str]) -> Callable[[bytes], bytes]:
    """A function that answers a question about `services`. It raises BadRequest for a message that is none."""

    def answer(message: bytes) -> bytes:
        try:
            asked = ServerReflectionRequest.FromString(message)
        except DecodeError as error:
            raise BadRequest(f"the message is not a ServerReflectionRequest: {error}") from None
        answered = ServerReflectionResponse(valid_host=asked.host, original_request=asked)
        if asked.WhichOneof("message_request") == "list_services":
            found = [ServiceResponse(name=name) for name in services]
            answered.list_services_response.CopyFrom(ListServiceResponse(service=found))
        else:
            _describe(asked, answered)
        return answered.SerializeToString()

    return answer


def _describe(asked: ServerReflectionRequest, answered: ServerReflectionResponse) -> None:
    """Extensions are not asked for: version 3 of protobuf has none."""
    pool = Default()
    try:
        if asked.WhichOneof("message_request") == "file_by_filename":
            file = pool.FindFileByName(asked.file_by_filename)
        else:
            file = pool.FindFileContainingSymbol(asked.file_containing_symbol)
    except KeyError as error:
        refusal = ErrorResponse(error_code=Code.NOT_FOUND, error_message=str(error.args[0]))
        answered.error_response.CopyFrom(refusal)
    else:
        found = FileDescriptorResponse(file_descriptor_proto=[file.serialized_pb])
        answered.file_descriptor_response.CopyFrom(found)
