"""KServe's client over gRPC: `kserve_grpc HOST:PORT`."""

from __future__ import annotations

import sys
from functools import partial

import grpc
import numpy as np
from kserve import InferenceGRPCClient as Client
from kserve.protocol.infer_type import RequestedOutput

from tests.clients.programs.kserve_data import FLOATS, VALUES, binary, plain, request, same
from tests.clients.programs.statements import hold_all, refused

URL = sys.argv[1]


async def the_server_is_live_and_ready(client: Client) -> None:
    assert await client.is_server_live() is True
    assert await client.is_server_ready(timeout=5, headers=(("x-any", "thing"),)) is True


async def a_model_is_ready_and_an_unknown_one_is_not(client: Client) -> None:
    assert await client.is_model_ready("sums") is True
    assert await client.is_model_ready("unknown") is False


async def every_datatype_survives_the_round_trip_in_typed_contents(client: Client) -> None:
    for datatype, array in VALUES.items():
        if datatype != "FP16":  # which has no typed contents
            answer = await client.infer(request(f"echo_{datatype.lower()}", plain("x", array, datatype)))
            assert same(answer.outputs[0].as_numpy(), array), datatype


async def every_datatype_survives_the_round_trip_in_raw_contents(client: Client) -> None:
    for datatype, array in VALUES.items():
        answer = await client.infer(request(f"echo_{datatype.lower()}", binary("x", array, datatype)))
        assert same(answer.outputs[0].as_numpy(), array), datatype


async def only_the_outputs_asked_for_come(client: Client) -> None:
    sent = request("sums", plain("x", FLOATS, "FP32"), outputs=[RequestedOutput("copy")])
    answer = await client.infer(sent)
    assert [output.name for output in answer.outputs] == ["copy"]
    assert answer.outputs[0].as_numpy().tolist() == [[1, 2]]


async def the_id_the_name_and_the_version_come_back(client: Client) -> None:
    parameters = {"text": "x", "number": 1, "flag": True}
    for version, first in (("1", 2), ("2", 1), (None, 1)):
        tensor = plain("x", FLOATS, "FP32")
        sent = request("versions", tensor, request_id="id-é", parameters=parameters, model_version=version)
        answer = await client.infer(sent, timeout=10)
        assert (answer.id, answer.model_name, answer.model_version) == ("id-é", "versions", version or "2")
        assert answer.outputs[0].as_numpy()[0, 0] == first


async def an_error_carries_its_code_and_the_server_s_sentence(client: Client) -> None:
    cases = [
        ("unknown", grpc.StatusCode.NOT_FOUND, "'unknown'"),
        ("sums", grpc.StatusCode.INVALID_ARGUMENT, "'z'"),
        ("lookup", grpc.StatusCode.INTERNAL, "'lookup'"),
    ]
    for model, code, words in cases:
        tensor = plain("index", np.array([7]), "INT64") if model == "lookup" else plain("z", FLOATS, "FP32")
        with refused(grpc.RpcError) as refusal:
            await client.infer(request(model, tensor))
        assert refusal.error.code() == code
        assert words in (refusal.error.details() or "")


async def the_timeout_holds(client: Client) -> None:
    with refused(grpc.RpcError) as refusal:
        await client.infer(request("slow", plain("turns", np.array([3000]), "INT64")), timeout=0.3)
    assert refusal.error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert await client.is_server_live(timeout=5)


if __name__ == "__main__":
    hold_all(__name__, partial(Client, URL))
