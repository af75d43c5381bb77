"""tritonclient over gRPC, every call but shared memory and sequences: `triton_grpc HOST:PORT [aio]`."""

from __future__ import annotations

import queue
import sys
import time
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np
from tritonclient import grpc
from tritonclient.grpc import InferenceServerClient as Client
from tritonclient.grpc import InferRequestedOutput, aio
from tritonclient.grpc.auth import BasicAuth
from tritonclient.utils import InferenceServerException

from tests.clients.programs.blocking import Blocking
from tests.clients.programs.statements import hold_all
from tests.clients.programs.triton_data import VALUES, floats, refusal, same, tensor

URL = sys.argv[1]
AIO = "aio" in sys.argv


# Health and metadata


def the_server_is_live_and_ready(client: Client) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()


def a_model_is_ready_in_the_versions_that_it_has(client: Client) -> None:
    assert client.is_model_ready("versions")
    assert client.is_model_ready("versions", "1")
    assert client.is_model_ready("versions", "2")
    assert not client.is_model_ready("versions", "3")
    assert not client.is_model_ready("unknown")


def the_server_names_itself_and_its_extensions(client: Client) -> None:
    metadata = client.get_server_metadata()
    assert metadata.name == "modelserver"
    assert metadata.version
    assert {"model_configuration", "model_repository", "statistics"} <= set(metadata.extensions)
    assert client.get_server_metadata(as_json=True)["name"] == "modelserver"


def a_model_describes_its_tensors(client: Client) -> None:
    metadata = client.get_model_metadata("sums")
    assert (metadata.name, metadata.platform) == ("sums", "onnxruntime_onnx")
    assert [(given.name, given.datatype, list(given.shape)) for given in metadata.inputs] == [
        ("x", "FP32", [-1, 2])
    ]
    assert [output.name for output in metadata.outputs] == ["total", "copy"]
    assert client.get_model_metadata("versions", "1", as_json=True)["versions"] == ["1", "2"]


def a_model_shows_its_configuration(client: Client) -> None:
    config = client.get_model_config("sums").config
    assert (config.name, config.platform) == ("sums", "onnxruntime_onnx")
    assert [(given.name, given.data_type) for given in config.input] == [("x", 11)]  # TYPE_FP32
    assert [given.name for given in config.output] == ["total", "copy"]
    assert client.get_model_config("versions", "1", as_json=True)["config"]["name"] == "versions"


def what_is_unknown_is_not_found(client: Client) -> None:
    calls = [
        partial(client.get_model_metadata, "unknown"),
        partial(client.get_model_metadata, "sums", "9"),
        partial(client.get_model_config, "unknown"),
        partial(client.get_inference_statistics, "unknown"),
        partial(client.infer, "unknown", [floats(grpc, "x", [1, 2])]),
        partial(client.infer, "sums", [floats(grpc, "x", [1, 2])], "9"),
    ]
    for error in map(refusal, calls):
        assert error.status() == "StatusCode.NOT_FOUND"
        assert "'unknown'" in error.message() or "'9'" in error.message()


# The repository


def the_index_lists_every_model_and_its_state(client: Client) -> None:
    index = {(model.name, model.version): model.state for model in client.get_model_repository_index().models}
    assert index["versions", "1"] == index["versions", "2"] == index["sums", "1"] == "READY"
    assert client.get_model_repository_index(as_json=True)["models"]


def a_model_is_loaded_used_and_unloaded(client: Client) -> None:
    assert not client.is_model_ready("stored")
    client.load_model("stored")
    assert client.is_model_ready("stored")
    inputs = [floats(grpc, "x", [1, 2])]
    assert same(client.infer("stored", inputs).as_numpy("y"), np.array([[2, 4]], np.float32))
    client.unload_model("stored")
    assert not client.is_model_ready("stored")
    states = {model.name: model.state for model in client.get_model_repository_index().models}
    assert states["stored"] == "UNAVAILABLE"
    gone = refusal(lambda: client.infer("stored", inputs))
    assert gone.status() in ("StatusCode.NOT_FOUND", "StatusCode.UNAVAILABLE")


def a_model_that_is_not_in_the_folder_cannot_be_loaded(client: Client) -> None:
    error = refusal(lambda: client.load_model("unknown"))
    assert error.status() in ("StatusCode.INVALID_ARGUMENT", "StatusCode.NOT_FOUND")
    assert "'unknown'" in error.message()


def a_model_is_never_loaded_from_files_or_configuration_in_the_request(client: Client) -> None:
    error = refusal(lambda: client.load_model("stored", config="{}", files={"file:1/model.onnx": b"x"}))
    assert error.status() in ("StatusCode.INVALID_ARGUMENT", "StatusCode.UNIMPLEMENTED")
    assert not client.is_model_ready("stored")


# Statistics and settings


def statistics_count_what_was_answered(client: Client) -> None:
    def successes() -> int:
        (stats,) = client.get_inference_statistics("versions", "1").model_stats
        assert (stats.name, stats.version) == ("versions", "1")
        assert stats.execution_count <= stats.inference_count
        return int(stats.inference_stats.success.count)

    before = successes()
    client.infer("versions", [floats(grpc, "x", [1, 2])], "1")
    assert successes() == before + 1
    everything = client.get_inference_statistics(as_json=True)["model_stats"]
    assert {("versions", "1"), ("sums", "1")} <= {(stats["name"], stats["version"]) for stats in everything}


def logging_tracing_and_streaming_are_not_implemented(client: Client) -> None:
    calls = [
        client.get_log_settings,
        client.get_trace_settings,
        partial(client.update_log_settings, {"log_verbose_level": 1}),
        partial(client.update_trace_settings, settings={"trace_level": ["TIMESTAMPS"]}),
        partial(_stream, client),
    ]
    for error in map(refusal, calls):
        assert error.status() == "StatusCode.UNIMPLEMENTED"
    assert client.is_server_live()


# Inference


def every_datatype_survives_the_round_trip(client: Client) -> None:
    for datatype, array in VALUES.items():
        result = client.infer(f"echo_{datatype.lower()}", [tensor(grpc, "x", array, datatype)])
        assert same(result.as_numpy("y"), array), datatype
        assert result.get_output("y").datatype == datatype


def several_inputs_are_told_apart(client: Client) -> None:
    inputs = [floats(grpc, "b", [2], [4]), floats(grpc, "a", [1], [2])]
    assert client.infer("divide", inputs).as_numpy("quotient").tolist() == [[0.5], [0.5]]


def nan_and_the_infinities_come_back(client: Client) -> None:
    result = client.infer("divide", [floats(grpc, "a", [0], [1], [-1]), floats(grpc, "b", [0], [0], [0])])
    quotient = result.as_numpy("quotient")
    assert np.isnan(quotient[0, 0])
    assert quotient[1:].tolist() == [[np.inf], [-np.inf]]


def only_the_outputs_asked_for_come_in_their_order(client: Client) -> None:
    inputs = [floats(grpc, "x", [1, 2])]
    assert [output.name for output in client.infer("sums", inputs).get_response().outputs] == ["total", "copy"]
    for asked in (["copy"], ["copy", "total"]):
        outputs = [InferRequestedOutput(name) for name in asked]
        result = client.infer("sums", inputs, outputs=outputs)
        assert [output.name for output in result.get_response().outputs] == asked
        assert result.as_numpy("copy").tolist() == [[1, 2]]


def scalars_and_empty_tensors_keep_their_shape(client: Client) -> None:
    empty = tensor(grpc, "x", np.zeros((0, 3), np.float32), "FP32")
    assert client.infer("echo_fp32", [empty]).as_numpy("y").shape == (0, 3)
    result = client.infer("scalar", [tensor(grpc, "x", np.ones(3, np.float32), "FP32")])
    assert same(result.as_numpy("total"), np.array(3, np.float32))
    nothing = tensor(grpc, "x", np.zeros((0, 2), np.object_), "BYTES")
    assert client.infer("echo_bytes", [nothing]).as_numpy("y").shape == (0, 2)


def the_id_and_the_version_come_back(client: Client) -> None:
    inputs = [floats(grpc, "x", [1, 2])]
    for version, first in (("1", 2), ("2", 1), ("", 1)):
        result = client.infer("versions", inputs, version, request_id=f"id-{version}-é")
        response = result.get_response()
        assert response.id == f"id-{version}-é"
        assert (response.model_name, response.model_version) == ("versions", version or "2")
        assert result.as_numpy("y")[0, 0] == first
    assert client.infer("versions", inputs).get_response(as_json=True).get("id") is None


def parameters_priority_and_timeout_are_accepted(client: Client) -> None:
    parameters = {"text": "x", "number": 1, "fraction": 0.5, "flag": True}
    inputs = [floats(grpc, "x", [1, 2])]
    result = client.infer("sums", inputs, priority=1, timeout=10_000_000, parameters=parameters)
    assert same(result.as_numpy("total"), np.array([3], np.float32))


def headers_and_plugins_do_no_harm(client: Client) -> None:
    client.register_plugin(BasicAuth("user", "secret"))
    result = client.infer("sums", [floats(grpc, "x", [1, 2])], headers={"x-any": "thing"})
    assert result.as_numpy("total").tolist() == [3]
    assert client.is_server_live(headers={"x-any": "thing"})


def messages_can_be_compressed(client: Client) -> None:
    array = np.arange(30_000, dtype=np.float32).reshape(3, -1)
    for algorithm in ("gzip", "deflate"):
        inputs = [tensor(grpc, "x", array, "FP32")]
        result = client.infer("echo_fp32", inputs, compression_algorithm=algorithm)
        assert same(result.as_numpy("y"), array), algorithm


def a_tensor_larger_than_the_usual_limit_of_4_mb_goes_both_ways(client: Client) -> None:
    array = np.random.default_rng(1).random((3, 1_000_000), np.float32)
    assert same(client.infer("echo_fp32", [tensor(grpc, "x", array, "FP32")]).as_numpy("y"), array)


def many_requests_at_once_are_each_answered(client: Client) -> None:
    answers: queue.Queue[tuple[int, Any, Exception | None]] = queue.Queue()
    for number in range(20):
        callback = partial(_put, answers, number)
        client.async_infer("sums", [floats(grpc, "x", [number, 1])], callback=callback)
    for _ in range(20):
        number, result, error = answers.get(timeout=20)
        assert error is None
        assert result.as_numpy("total").tolist() == [number + 1]
    client.async_infer("sums", [floats(grpc, "z", [1, 2])], callback=partial(_put, answers, -1))
    _, result, error = answers.get(timeout=20)
    assert result is None
    assert isinstance(error, InferenceServerException)
    assert error.status() == "StatusCode.INVALID_ARGUMENT"


def a_request_can_be_cancelled(client: Client) -> None:
    answers: queue.Queue[tuple[int, Any, BaseException | None]] = queue.Queue()
    turns = tensor(grpc, "turns", np.array([1000]), "INT64")
    client.async_infer("slow", [turns], callback=lambda result, error: answers.put((0, result, error))).cancel()
    _, result, error = answers.get(timeout=20)
    assert result is None
    assert error is not None
    assert client.is_server_live()


def the_deadline_of_the_client_holds(client: Client) -> None:
    turns = tensor(grpc, "turns", np.array([3000]), "INT64")
    started = time.monotonic()
    error = refusal(lambda: client.infer("slow", [turns], client_timeout=0.3))
    assert error.status() == "StatusCode.DEADLINE_EXCEEDED"
    assert time.monotonic() - started < 2
    assert client.is_server_live(client_timeout=5)
    assert client.infer("sums", [floats(grpc, "x", [1, 2])], client_timeout=20).as_numpy("total").tolist() == [3]


# What has to be refused


def wrong_inputs_are_refused_with_a_sentence(client: Client) -> None:
    wrong = {
        "'z'": [floats(grpc, "z", [1, 2])],
        "input b": [floats(grpc, "a", [1])],
        "FP32": [tensor(grpc, "x", np.array([[1, 2]]), "INT64")],
        "BF16": [tensor(grpc, "x", np.array([[1, 2]], ml_dtypes.bfloat16), "BF16")],
        "[1,3]": [floats(grpc, "x", [1, 2, 3])],
    }
    for words, inputs in wrong.items():
        model = "divide" if words == "input b" else "sums"
        error = refusal(partial(client.infer, model, inputs))
        assert error.status() == "StatusCode.INVALID_ARGUMENT"
        assert words in error.message().replace(", ", ",").replace("'b'", "b")


def an_output_that_the_model_does_not_have_is_refused(client: Client) -> None:
    outputs = [InferRequestedOutput("nothing")]
    error = refusal(lambda: client.infer("sums", [floats(grpc, "x", [1, 2])], outputs=outputs))
    assert (error.status(), "'nothing'" in error.message()) == ("StatusCode.INVALID_ARGUMENT", True)


def classification_is_refused_rather_than_ignored(client: Client) -> None:
    outputs = [InferRequestedOutput("copy", class_count=1)]
    error = refusal(lambda: client.infer("sums", [floats(grpc, "x", [1, 2])], outputs=outputs))
    assert error.status() in ("StatusCode.INVALID_ARGUMENT", "StatusCode.UNIMPLEMENTED")


def bytes_that_are_no_text_are_refused(client: Client) -> None:
    given = tensor(grpc, "x", np.array([[b"\xff\xfe"]], np.object_), "BYTES")
    error = refusal(lambda: client.infer("echo_bytes", [given]))
    assert (error.status(), "UTF-8" in error.message()) == ("StatusCode.INVALID_ARGUMENT", True)


def a_model_that_fails_is_the_server_s_error(client: Client) -> None:
    given = tensor(grpc, "index", np.array([7]), "INT64")
    error = refusal(lambda: client.infer("lookup", [given]))
    assert (error.status(), "'lookup'" in error.message()) == ("StatusCode.INTERNAL", True)


def _put(
    answers: queue.Queue[tuple[int, Any, Exception | None]], number: int, result: Any, error: Exception | None
) -> None:
    answers.put((number, result, error))


def _stream(client: Any) -> object:
    """The first answer of a stream of inferences."""
    inputs = [floats(grpc, "x", [1, 2])]
    if isinstance(client, Blocking):
        return client.wait(_first(client, inputs))
    answers: queue.Queue[tuple[int, Any, Exception | None]] = queue.Queue()
    client.start_stream(partial(_put, answers, 0))
    client.async_stream_infer("sums", inputs)
    _, result, error = answers.get(timeout=20)
    client.stop_stream()
    if error:
        raise error
    return result


async def _first(client: Any, inputs: list[Any]) -> object:
    async def requests() -> Any:
        yield {"model_name": "sums", "inputs": inputs}

    try:
        return await anext(client.stream_infer(requests()))
    except Exception as error:  # the client lets the bare error of grpc out
        raise InferenceServerException("no stream", str(error.code())) from error  # type: ignore[attr-defined]


if __name__ == "__main__":
    hold_all(__name__, partial(Blocking, partial(aio.InferenceServerClient, URL)) if AIO else partial(Client, URL))
