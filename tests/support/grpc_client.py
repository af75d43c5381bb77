"""A client made of gRPC's own library and our messages, for a server that runs as a process."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import grpc
import numpy as np
import pytest

from modelserver.grpc import inference_pb2 as messages
from modelserver.grpc.dialect import FIELDS
from modelserver.models.datatypes import BY_NAME
from modelserver.protocols.binary import raw_of, tensor_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

    from modelserver.models.datatypes import Array
    from tests.support.server_process import ServerProcess

    Answer = TypeVar("Answer", bound=Message)

SERVICE = "inference.GRPCInferenceService"
UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


class Client:
    """Calls methods by name; what is refused raises grpc.RpcError."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self.inference: Any = channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            messages.ModelInferRequest.SerializeToString,
            messages.ModelInferResponse.FromString,
        )

    def call(
        self, method: str, sent: Message, kind: type[Answer], service: str = SERVICE, **options: Any
    ) -> Answer:
        """The answer, of that kind, to the message `sent`."""
        stub: Any = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=type(sent).SerializeToString,
            response_deserializer=kind.FromString,
        )
        return cast("Answer", stub(sent, **{"timeout": 30, **options}))

    def infer(self, sent: messages.ModelInferRequest, **options: Any) -> messages.ModelInferResponse:
        """The answer to an inference."""
        return cast("messages.ModelInferResponse", self.inference(sent, **{"timeout": 30, **options}))

    def refusal(self, sent: messages.ModelInferRequest, **options: Any) -> tuple[grpc.StatusCode, str]:
        """The code and the sentence with which an inference is refused."""
        return self.refused(f"/{SERVICE}/ModelInfer", sent.SerializeToString(), **options)

    def refused(self, path: str, body: bytes, **options: Any) -> tuple[grpc.StatusCode, str]:
        """The code and the sentence with which a call is refused that sends this body."""
        stub: Any = self.channel.unary_unary(path, bytes, bytes)
        with pytest.raises(grpc.RpcError) as refusal:
            stub(body, **{"timeout": 30, **options})
        return refusal.value.code(), refusal.value.details() or ""


@contextmanager
def client_of(server: ServerProcess) -> Iterator[Client]:
    """A client for `server`, with a connection of its own."""
    options = (*UNLIMITED, ("grpc.use_local_subchannel_pool", 1))
    with grpc.insecure_channel(f"127.0.0.1:{server.event('listening')['grpc_port']}", options) as channel:
        yield Client(channel)


def raw_request(model: str, **inputs: tuple[str, Array]) -> messages.ModelInferRequest:
    """A request with these inputs by name, each a datatype and an array, as bytes."""
    request = messages.ModelInferRequest(model_name=model)
    for name, (datatype, array) in inputs.items():
        request.inputs.add(name=name, datatype=datatype, shape=array.shape)
        request.raw_input_contents.append(bytes(raw_of(array)))
    return request


def typed_request(model: str, **inputs: tuple[str, Array]) -> messages.ModelInferRequest:
    """The same request, with typed contents."""
    request = messages.ModelInferRequest(model_name=model)
    for name, (datatype, array) in inputs.items():
        tensor = request.inputs.add(name=name, datatype=datatype, shape=array.shape)
        elements = [item.encode() if isinstance(item, str) else item for item in array.reshape(-1).tolist()]
        getattr(tensor.contents, FIELDS[datatype][0]).extend(elements)
    return request


def arrays(answer: messages.ModelInferResponse) -> dict[str, Array]:
    """The outputs by name, raw or typed."""
    found = {}
    for index, output in enumerate(answer.outputs):
        datatype, shape = BY_NAME[output.datatype], tuple(output.shape)
        if answer.raw_output_contents:
            found[output.name] = tensor_of(answer.raw_output_contents[index], datatype, shape)
        else:
            found[output.name] = _typed(output).reshape(shape)
    return found


def _typed(output: messages.ModelInferResponse.InferOutputTensor) -> Array:
    values = list(getattr(output.contents, FIELDS[output.datatype][0]))
    texts = output.datatype == "BYTES"
    return np.array([value.decode() for value in values] if texts else values, BY_NAME[output.datatype].dtype)
