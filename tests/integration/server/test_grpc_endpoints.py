"""gRPC as clients meet it: inferences beside REST, health, reflection, the repository, and metadata of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest

from modelserver.grpc import inference_pb2 as messages
from modelserver.grpc.health_pb2 import HealthCheckRequest, HealthCheckResponse
from modelserver.grpc.methods import HEALTH, INFERENCE, REFLECTION, SERVICES
from modelserver.grpc.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse
from modelserver.models.datatypes import BY_NAME
from tests.support import onnx_models
from tests.support.grpc_client import Client, arrays, client_of, raw_request, typed_request
from tests.support.onnx_models import saved
from tests.support.server_process import ServerProcess, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelserver.models.datatypes import Array

NUMBERS = sorted(BY_NAME.keys() - {"BYTES", "BOOL"})
FLOATS = ("FP32", np.array([[1.5, -2.0]], np.float32))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("models")
    saved(onnx_models.double(["N", 2]), folder / "repository" / "stored" / "1" / "model.onnx")
    models = {
        **{f"echo_{name}": onnx_models.identity(name, ["N", "M"]) for name in onnx_models.ELEMENT},
        "sums": onnx_models.two_outputs(),
        "lookup": onnx_models.lookup(),
        "slow": onnx_models.slow(),
    }
    arguments = [f"--model={name}={saved(model, folder / f'{name}.onnx')}" for name, model in models.items()]
    folders = ("--models-dir", str(folder / "repository"), "--model-control", "explicit")
    with serving(*arguments, *folders, "--max-body", "8M") as process:
        yield process


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    with client_of(server) as found:
        yield found


def values(datatype: str) -> Array:
    """Some elements of a datatype, the extremes among them."""
    dtype = BY_NAME[datatype].dtype
    if datatype == "BYTES":
        return np.array([["", "é😀\0"]], object)
    limits: Any = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype) if dtype.kind == "f" else None
    return np.array([[limits.min, limits.max]] if limits else [[True, False]], dtype)


# Inference


@pytest.mark.parametrize("datatype", sorted(BY_NAME))
def test_every_datatype_is_answered_as_over_rest(server: ServerProcess, client: Client, datatype: str) -> None:
    array = values(datatype)
    tensor = {"name": "x", "shape": [1, 2], "datatype": datatype, "data": array.tolist()}
    rest = server.client.post(f"/v2/models/echo_{datatype}/infer", json={"inputs": [tensor]}).json()
    raw = client.infer(raw_request(f"echo_{datatype}", x=(datatype, array)))
    assert arrays(raw)["y"].tolist() == array.tolist()
    assert np.array(rest["outputs"][0]["data"], array.dtype).tolist() == array.reshape(-1).tolist()
    if datatype != "FP16":
        assert client.infer(typed_request(f"echo_{datatype}", x=(datatype, array))) == raw


def test_requests_count_as_those_over_rest_do(server: ServerProcess, client: Client) -> None:
    def count(code: int) -> float:
        labels = f'code="{code}",model="lookup",protocol="grpc",version="1"'
        return server.metric(f"modelserver_requests_total{{{labels}}}") or 0

    before = count(200), count(500)
    client.infer(raw_request("lookup", index=("INT64", np.array([1]))))
    code, sentence = client.refusal(raw_request("lookup", index=("INT64", np.array([7]))))
    assert (code, "'lookup'" in sentence) == (grpc.StatusCode.INTERNAL, True)
    assert (count(200), count(500)) == (before[0] + 1, before[1] + 1)


def test_a_model_that_is_not_here_is_not_found(client: Client) -> None:
    code, sentence = client.refusal(raw_request("unknown", x=FLOATS))
    assert (code, "'unknown'" in sentence) == (grpc.StatusCode.NOT_FOUND, True)
    request = raw_request("sums", x=FLOATS)
    request.model_version = "9"
    assert client.refusal(request)[0] == grpc.StatusCode.NOT_FOUND


def test_garbage_is_an_invalid_argument(client: Client) -> None:
    for body in (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", b"\x3a\x05abc"):
        code, sentence = client.refused(f"/{INFERENCE}/ModelInfer", body)
        assert (code, "ModelInferRequest" in sentence) == (grpc.StatusCode.INVALID_ARGUMENT, True)


def test_large_messages_go_both_ways_up_to_the_limit(client: Client) -> None:
    array = np.random.default_rng(1).random((1, 1_900_000), np.float32)
    assert arrays(client.infer(raw_request("echo_FP32", x=("FP32", array))))["y"].tobytes() == array.tobytes()
    code, sentence = client.refusal(raw_request("echo_FP32", x=("FP32", np.zeros((1, 3_000_000), np.float32))))
    assert (code, "8000000 bytes" in sentence) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_messages_may_be_compressed(client: Client, compression: grpc.Compression) -> None:
    array = np.zeros((1, 1_000_000), np.float32)
    answer = client.infer(raw_request("echo_FP32", x=("FP32", array)), compression=compression)
    assert arrays(answer)["y"].tobytes() == array.tobytes()


def test_a_message_that_is_larger_than_the_limit_when_it_is_decompressed_is_refused(client: Client) -> None:
    bomb = raw_request("echo_FP32", x=("FP32", np.zeros((1, 50_000_000), np.float32)))
    assert client.refusal(bomb, compression=grpc.Compression.Gzip)[0] == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_answer_carries_the_name_of_its_request(client: Client) -> None:
    mine = (("x-request-id", "mine"),)
    _, call = client.inference.with_call(raw_request("sums", x=FLOATS), metadata=mine)
    assert [found.value for found in call.initial_metadata() if found.key == "x-request-id"] == ["mine"]
    _, call = client.inference.with_call(raw_request("sums", x=FLOATS))
    assert [found.value for found in call.initial_metadata() if found.key == "x-request-id"]
    with pytest.raises(grpc.RpcError) as refusal:
        client.inference(raw_request("unknown", x=FLOATS), metadata=mine)
    found: Any = refusal.value.trailing_metadata()
    assert dict(found)["x-request-id"] == "mine"


def test_calls_under_way_do_not_wait_for_each_other(client: Client) -> None:
    slow = client.inference.future(raw_request("slow", turns=("INT64", np.array([1000]))))
    fast = [client.inference.future(raw_request("sums", x=FLOATS)) for _ in range(200)]
    assert {len(call.result(timeout=20).outputs) for call in fast} == {2}
    assert not slow.done()
    slow.cancel()
    assert client.infer(raw_request("sums", x=FLOATS)).outputs


def test_the_client_s_deadline_holds(client: Client) -> None:
    code, _ = client.refusal(raw_request("slow", turns=("INT64", np.array([2000]))), timeout=0.2)
    assert code == grpc.StatusCode.DEADLINE_EXCEEDED


# Health, metadata, reflection


def test_it_is_healthy_as_a_whole_and_by_service(client: Client) -> None:
    for service in ("", *SERVICES):
        answer = client.call("Check", HealthCheckRequest(service=service), HealthCheckResponse, HEALTH)
        assert answer.status == HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as refusal:
        client.call("Check", HealthCheckRequest(service="unknown"), HealthCheckResponse, HEALTH)
    assert refusal.value.code() == grpc.StatusCode.NOT_FOUND


def test_the_metadata_is_that_of_rest(server: ServerProcess, client: Client) -> None:
    ours = client.call("ServerMetadata", messages.ServerMetadataRequest(), messages.ServerMetadataResponse)
    theirs = server.client.get("/v2").json()
    assert (ours.name, ours.version) == (theirs["name"], theirs["version"])
    assert {*ours.extensions} == {*theirs["extensions"]} - {"binary_tensor_data"}
    model = client.call(
        "ModelMetadata", messages.ModelMetadataRequest(name="sums"), messages.ModelMetadataResponse
    )
    rest = server.client.get("/v2/models/sums").json()
    assert (model.name, list(model.versions), model.platform) == (rest["name"], rest["versions"], rest["platform"])
    inputs = [{"name": x.name, "datatype": x.datatype, "shape": list(x.shape)} for x in model.inputs]
    assert (inputs, [x.name for x in model.outputs]) == (rest["inputs"], [x["name"] for x in rest["outputs"]])


def test_the_configuration_and_the_statistics_are_those_of_rest(server: ServerProcess, client: Client) -> None:
    asked = messages.ModelConfigRequest(name="sums")
    config = client.call("ModelConfig", asked, messages.ModelConfigResponse).config
    rest = server.client.get("/v2/models/sums/config").json()
    assert (config.name, config.platform, config.backend) == (rest["name"], rest["platform"], rest["backend"])
    assert [messages.DataType.Name(x.data_type) for x in config.input] == [x["data_type"] for x in rest["input"]]
    wanted = messages.ModelStatisticsRequest(name="sums")
    (stats,) = client.call("ModelStatistics", wanted, messages.ModelStatisticsResponse).model_stats
    (theirs,) = server.client.get("/v2/models/sums/stats").json()["model_stats"]
    assert stats.inference_count == theirs["inference_count"]
    assert stats.inference_stats.success.ns == theirs["inference_stats"]["success"]["ns"]


def test_models_are_loaded_and_unloaded(client: Client) -> None:
    def state() -> str:
        index = client.call("RepositoryIndex", messages.RepositoryIndexRequest(), messages.RepositoryIndexResponse)
        return {model.name: model.state for model in index.models}["stored"]

    def ready() -> bool:
        asked = messages.ModelReadyRequest(name="stored")
        return client.call("ModelReady", asked, messages.ModelReadyResponse).ready

    assert (state(), ready()) == ("UNAVAILABLE", False)
    load = messages.RepositoryModelLoadRequest(model_name="stored")
    client.call("RepositoryModelLoad", load, messages.RepositoryModelLoadResponse)
    assert (state(), ready()) == ("READY", True)
    assert arrays(client.infer(raw_request("stored", x=FLOATS)))["y"].tolist() == [[3.0, -4.0]]
    unload = messages.RepositoryModelUnloadRequest(model_name="stored")
    client.call("RepositoryModelUnload", unload, messages.RepositoryModelUnloadResponse)
    assert (state(), ready()) == ("UNAVAILABLE", False)


def test_a_model_is_never_loaded_from_the_request(client: Client) -> None:
    load = messages.RepositoryModelLoadRequest(model_name="stored")
    load.parameters["file:1/model.onnx"].bytes_param = b"x"
    with pytest.raises(grpc.RpcError) as refusal:
        client.call("RepositoryModelLoad", load, messages.RepositoryModelLoadResponse)
    assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("service", [REFLECTION, "grpc.reflection.v1alpha.ServerReflection"])
def test_tools_can_ask_what_there_is(client: Client, service: str) -> None:
    stub = client.channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        ServerReflectionRequest.SerializeToString,
        ServerReflectionResponse.FromString,
    )
    asked = [
        ServerReflectionRequest(list_services=""),
        ServerReflectionRequest(file_containing_symbol=INFERENCE),
        ServerReflectionRequest(file_containing_symbol="unknown.Service"),
        ServerReflectionRequest(file_by_filename="modelserver/grpc/health.proto"),
    ]
    listed, described, unknown, health = stub(iter(asked), timeout=10)
    assert {found.name for found in listed.list_services_response.service} == set(SERVICES)
    assert described.file_descriptor_response.file_descriptor_proto == [messages.DESCRIPTOR.serialized_pb]
    assert unknown.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert health.file_descriptor_response.file_descriptor_proto


def test_a_method_that_is_not_there_is_unimplemented(client: Client) -> None:
    for path in (f"/{INFERENCE}/TraceSetting", f"/{HEALTH}/Watch", "/x/y"):
        code, sentence = client.refused(path, b"")
        assert (code, path in sentence) == (grpc.StatusCode.UNIMPLEMENTED, True)
