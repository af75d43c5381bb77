"""The client generated from the OpenAPI document, which checks what it gets: `open_inference_rest HOST:PORT`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from open_inference.openapi import (
    InferenceErrorResponse,
    InferenceRequest,
    RequestInput,
    RequestOutput,
    TensorData,
)
from open_inference.openapi.client import AsyncOpenInferenceClient
from open_inference.openapi.client import OpenInferenceClient as Client
from open_inference.openapi.core.api_error import ApiError

from tests.clients.programs.statements import hold_all, refused

if TYPE_CHECKING:
    from collections.abc import Callable

URL = f"http://{sys.argv[1]}"
DATATYPES: dict[str, list[Any]] = {
    "BOOL": [True, False],
    **{f"{sign}INT{bits}": [0, 100] for sign in ("", "U") for bits in (8, 16, 32, 64)},
    "FP16": [0.5, -2],
    "FP32": [0.5, -2],
    "FP64": [0.5, -2],
    "BYTES": ["a", "é😀"],
}


def the_server_is_live_and_ready(client: Client) -> None:
    client.check_server_liveness()
    client.check_server_readiness()


def a_model_is_ready_in_the_versions_that_it_has(client: Client) -> None:
    client.check_model_readiness("versions")
    client.check_model_version_readiness("versions", "1")
    for call in (
        partial(client.check_model_readiness, "unknown"),
        partial(client.check_model_version_readiness, "versions", "9"),
    ):
        _refused(call, 404)


def the_metadata_is_what_the_document_says(client: Client) -> None:
    server = client.read_server_metadata()
    assert server.name == "modelserver"
    assert "binary_tensor_data" in server.extensions
    for model in (client.read_model_metadata("versions"), client.read_model_version_metadata("versions", "1")):
        assert (model.name, model.versions, model.platform) == ("versions", ["1", "2"], "onnxruntime_onnx")
        assert [(tensor.name, tensor.datatype, tensor.shape) for tensor in model.inputs] == [
            ("x", "FP32", [-1, 2])
        ]
    _refused(partial(client.read_model_metadata, "unknown"), 404)
    _refused(partial(client.read_model_version_metadata, "versions", "9"), 404)


def every_datatype_is_answered_as_the_document_says(client: Client) -> None:
    for datatype, data in DATATYPES.items():
        request = InferenceRequest(inputs=[_input("x", [1, 2], datatype, data)])
        (output,) = client.model_infer(f"echo_{datatype.lower()}", request=request).outputs
        assert (output.name, output.datatype, output.shape) == ("y", datatype, [1, 2])
        assert output.data.__root__ == data


def nested_data_and_flat_data_are_the_same(client: Client) -> None:
    for data in ([[1, 2], [3, 4]], [1, 2, 3, 4]):
        request = InferenceRequest(inputs=[_input("x", [2, 2], "FP32", data)])
        answer = client.model_infer("sums", request=request)
        assert [output.data.__root__ for output in answer.outputs] == [[3, 7], [1, 2, 3, 4]]


def the_id_the_version_and_the_outputs_asked_for_come_back(client: Client) -> None:
    tensor = _input("x", [1, 2], "FP32", [1, 2])
    request = InferenceRequest(
        id="7", parameters={"any": "thing"}, inputs=[tensor], outputs=[RequestOutput(name="y")]
    )
    answer = client.model_version_infer("versions", "1", request=request)
    assert (answer.id, answer.model_name, answer.model_version) == ("7", "versions", "1")
    assert [(output.name, output.data.__root__) for output in answer.outputs] == [("y", [2, 4])]


def errors_are_what_the_document_says(client: Client) -> None:
    for model, name, status in [("sums", "z", 400), ("unknown", "x", 404), ("lookup", "index", 500)]:
        data, datatype = ([7], "INT64") if model == "lookup" else ([1, 2], "FP32")
        shape = [1] if model == "lookup" else [1, 2]
        request = InferenceRequest(inputs=[_input(name, shape, datatype, data)])
        error = _refused(partial(client.model_infer, model, request=request), status)
        assert InferenceErrorResponse.parse_obj(error.body).error


def the_asynchronous_client_gets_the_same_answers(client: Client) -> None:
    async def ask() -> Any:
        asynchronous = AsyncOpenInferenceClient(base_url=URL)
        await asynchronous.check_server_liveness()
        await asynchronous.check_server_readiness()
        await asynchronous.check_model_readiness("sums")
        await asynchronous.check_model_version_readiness("sums", "1")
        assert await asynchronous.read_server_metadata() == client.read_server_metadata()
        assert await asynchronous.read_model_metadata("sums") == client.read_model_metadata("sums")
        version = await asynchronous.read_model_version_metadata("sums", "1")
        assert version == client.read_model_version_metadata("sums", "1")
        request = InferenceRequest(inputs=[_input("x", [1, 2], "FP32", [1, 2])])
        assert await asynchronous.model_version_infer("sums", "1", request=request)
        return await asynchronous.model_infer("sums", request=request)

    assert asyncio.run(ask()).outputs[0].data.__root__ == [3]


def _input(name: str, shape: list[int], datatype: str, data: list[Any]) -> RequestInput:
    return RequestInput(name=name, shape=shape, datatype=datatype, data=TensorData.parse_obj(data))


def _refused(call: Callable[[], object], status: int) -> ApiError:
    with refused(ApiError) as refusal:
        call()
    assert refusal.error.status_code == status
    return refusal.error


if __name__ == "__main__":
    hold_all(__name__, lambda: nullcontext(Client(base_url=URL)))
