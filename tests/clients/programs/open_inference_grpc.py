"""The stub generated from the protocol's own definition, with typed contents: `open_inference_grpc HOST:PORT`."""

from __future__ import annotations

import struct
import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
from open_inference.grpc import protocol
from open_inference.grpc.service import GRPCInferenceServiceStub as Stub

from tests.clients.programs.statements import hold_all, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

URL = sys.argv[1]
# For each datatype: its field in InferTensorContents, its letter in `struct`, and values.
CONTENTS: dict[str, tuple[str, str, list[Any]]] = {
    "BOOL": ("bool_contents", "?", [True, False]),
    "INT8": ("int_contents", "b", [-(2**7), 2**7 - 1]),
    "INT16": ("int_contents", "h", [-(2**15), 2**15 - 1]),
    "INT32": ("int_contents", "i", [-(2**31), 2**31 - 1]),
    "INT64": ("int64_contents", "q", [-(2**63), 2**63 - 1]),
    "UINT8": ("uint_contents", "B", [0, 2**8 - 1]),
    "UINT16": ("uint_contents", "H", [0, 2**16 - 1]),
    "UINT32": ("uint_contents", "I", [0, 2**32 - 1]),
    "UINT64": ("uint64_contents", "Q", [0, 2**64 - 1]),
    "FP32": ("fp32_contents", "f", [0.5, -2.0]),
    "FP64": ("fp64_contents", "d", [0.1, 5e-324]),
    "BYTES": ("bytes_contents", "s", [b"", "é😀".encode()]),
}


def the_server_is_live_and_ready(stub: Stub) -> None:
    assert stub.ServerLive(protocol.ServerLiveRequest()).live
    assert stub.ServerReady(protocol.ServerReadyRequest()).ready


def a_model_is_ready_in_the_versions_that_it_has(stub: Stub) -> None:
    assert stub.ModelReady(protocol.ModelReadyRequest(name="versions")).ready
    assert stub.ModelReady(protocol.ModelReadyRequest(name="versions", version="1")).ready
    assert not stub.ModelReady(protocol.ModelReadyRequest(name="versions", version="9")).ready


def the_metadata_has_every_field(stub: Stub) -> None:
    server = stub.ServerMetadata(protocol.ServerMetadataRequest())
    assert server.name == "modelserver"
    assert server.version
    model = stub.ModelMetadata(protocol.ModelMetadataRequest(name="versions", version="1"))
    assert (model.name, list(model.versions), model.platform) == ("versions", ["1", "2"], "onnxruntime_onnx")
    assert [(each.name, each.datatype, list(each.shape)) for each in model.inputs] == [("x", "FP32", [-1, 2])]
    _refused(lambda: stub.ModelMetadata(protocol.ModelMetadataRequest(name="unknown")), grpc.StatusCode.NOT_FOUND)


def typed_contents_of_every_datatype_are_understood(stub: Stub) -> None:
    for datatype, (field, _, values) in CONTENTS.items():
        answer = stub.ModelInfer(_request(f"echo_{datatype.lower()}", datatype, **{field: values}))
        (output,) = answer.outputs
        assert (output.name, output.datatype, list(output.shape)) == ("y", datatype, [1, 2])
        assert answer.raw_output_contents == [_raw(datatype, values)], datatype


def the_id_and_the_outputs_asked_for_come_back(stub: Stub) -> None:
    request = _request("sums", "FP32", fp32_contents=[1, 2])
    request.id = "7"
    request.outputs.add(name="copy")
    answer = stub.ModelInfer(request)
    assert (answer.id, answer.model_name, answer.model_version) == ("7", "sums", "1")
    assert [output.name for output in answer.outputs] == ["copy"]


def what_the_protocol_forbids_is_refused(stub: Stub) -> None:
    both = _request("sums", "FP32", fp32_contents=[1, 2])
    both.raw_input_contents.append(bytes(8))
    wrong = [
        both,
        _request("sums", "FP32", fp64_contents=[1, 2]),  # the field of another datatype
        _request("sums", "FP32", fp32_contents=[1, 2, 3]),  # more than the shape holds
        _request("sums", "FP32", fp32_contents=[1]),
        _request("sums", "FP32"),  # nothing at all
        _request("echo_int8", "INT8", int_contents=[0, 128]),  # more than the datatype holds
        _request("echo_fp16", "FP16", fp32_contents=[1, 2]),  # has no typed contents
        _request("echo_bytes", "BYTES", bytes_contents=[b"\xff", b""]),  # no text
    ]
    for request in wrong:
        _refused(partial(stub.ModelInfer, request), grpc.StatusCode.INVALID_ARGUMENT)


def _request(model: str, datatype: str, **contents: list[object]) -> protocol.ModelInferRequest:
    tensor = protocol.ModelInferRequest.InferInputTensor(
        name="x", datatype=datatype, shape=[1, 2], contents=protocol.InferTensorContents(**contents)
    )
    return protocol.ModelInferRequest(model_name=model, inputs=[tensor])


def _raw(datatype: str, values: list[Any]) -> bytes:
    """The bytes of these values as the protocol lays them out, made without numpy, which is not installed here."""
    if datatype == "BYTES":
        return b"".join(len(value).to_bytes(4, "little") + value for value in values)
    return struct.pack(f"<2{CONTENTS[datatype][1]}", *values)


def _refused(call: Callable[[], object], code: grpc.StatusCode) -> None:
    with refused(grpc.RpcError) as refusal:
        call()
    assert refusal.error.code() == code
    assert refusal.error.details()


@contextmanager
def _connected() -> Iterator[Stub]:
    with grpc.insecure_channel(URL) as channel:
        yield Stub(channel)


if __name__ == "__main__":
    hold_all(__name__, _connected)
