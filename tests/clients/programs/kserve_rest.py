"""KServe's client over REST, version 2 of the protocol: `kserve_rest HOST:PORT`."""

from __future__ import annotations

import sys
from functools import partial

import httpx
import numpy as np
from kserve import InferenceRESTClient as Client
from kserve.errors import UnsupportedProtocol
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput

from tests.clients.programs.kserve_data import FLOATS, VALUES, binary, plain, request, same
from tests.clients.programs.statements import hold_all, refused

URL = f"http://{sys.argv[1]}"


async def the_server_is_live_and_ready(client: Client) -> None:
    assert await client.is_server_live(URL) is True
    assert await client.is_server_ready(URL) is True
    assert await client.is_server_ready(URL + "/", timeout=5) is True


async def a_model_is_ready_and_an_unknown_one_is_not(client: Client) -> None:
    assert await client.is_model_ready(URL, "sums") is True
    assert await client.is_model_ready(URL, "unknown") is False


async def every_datatype_survives_the_round_trip_as_json(client: Client) -> None:
    for datatype, array in VALUES.items():
        if datatype != "FP16":  # which the client refuses to send as JSON
            sent = request(f"echo_{datatype.lower()}", plain("x", array, datatype))
            answer = await client.infer(URL, sent, model_name=sent.model_name)
            assert same(answer.outputs[0].as_numpy(), array), datatype


async def every_datatype_survives_the_round_trip_as_binary(client: Client) -> None:
    for datatype, array in VALUES.items():
        name = f"echo_{datatype.lower()}"
        sent = request(name, binary("x", array, datatype), parameters={"binary_data_output": True})
        answer = await client.infer(URL, sent, model_name=name)
        assert same(answer.outputs[0].as_numpy(), array), datatype


async def binary_and_json_mix_in_inputs_and_outputs(client: Client) -> None:
    inputs = [plain("a", FLOATS, "FP32"), binary("b", FLOATS, "FP32")]
    answer = await client.infer(URL, request("divide", *inputs), model_name="divide")
    assert answer.outputs[0].as_numpy().tolist() == [[1, 1]]
    outputs = [RequestedOutput("copy", {"binary_data": True}), RequestedOutput("total", {"binary_data": False})]
    answer = await client.infer(
        URL, request("sums", plain("x", FLOATS, "FP32"), outputs=outputs), model_name="sums"
    )
    assert [output.name for output in answer.outputs] == ["copy", "total"]
    assert [output.as_numpy().tolist() for output in answer.outputs] == [[[1, 2]], [3]]


async def a_plain_dictionary_is_a_request_too(client: Client) -> None:
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [[1, 2]]}
    headers: dict[str, str] = {}
    answer = await client.infer(URL, {"inputs": [tensor]}, model_name="sums", response_headers=headers)
    assert answer.outputs[0].as_numpy().tolist() == [3]
    assert headers["content-type"] == "application/json"


async def the_id_and_the_name_come_back(client: Client) -> None:
    sent = request("versions", plain("x", FLOATS, "FP32"), request_id="id-é", parameters={"any": "thing", "n": 1})
    answer = await client.infer(URL, sent, model_name="versions", headers={"X-Any": "thing"}, timeout=10)
    assert (answer.id, answer.model_name) == ("id-é", "versions")  # the client drops the version


async def an_error_carries_the_server_s_sentence(client: Client) -> None:
    for model, status, words in [("unknown", 404, "'unknown'"), ("sums", 400, "'z'"), ("lookup", 500, "'lookup'")]:
        tensor = plain("index", np.array([7]), "INT64") if model == "lookup" else plain("z", FLOATS, "FP32")
        with refused(httpx.HTTPStatusError) as refusal:
            await client.infer(URL, request(model, tensor), model_name=model)
        assert refusal.error.response.status_code == status
        assert words in str(refusal.error)


async def there_are_no_explanations(client: Client) -> None:
    with refused(UnsupportedProtocol):  # by the client itself
        await client.explain(URL, "sums", {"instances": [[1, 2]]})
    async with Client(RESTConfig(protocol="v1")) as old:
        with refused(httpx.HTTPStatusError) as refusal:
            await old.explain(URL, "sums", {"instances": [[1, 2]]})
        assert refusal.error.response.status_code == 404


if __name__ == "__main__":
    hold_all(__name__, partial(Client, RESTConfig(protocol="v2")))
