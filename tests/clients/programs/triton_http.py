"""tritonclient over HTTP, every call but shared memory and sequences: `triton_http HOST:PORT [aio]`."""

from __future__ import annotations

import sys
import urllib.request
from functools import partial

import ml_dtypes
import numpy as np
from tritonclient import http
from tritonclient.http import InferenceServerClient as Client
from tritonclient.http import InferRequestedOutput, InferResult, aio
from tritonclient.http.auth import BasicAuth

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
    assert metadata["name"] == "modelserver"
    assert metadata["version"]
    extensions = {"binary_tensor_data", "model_configuration", "model_repository", "statistics"}
    assert extensions <= set(metadata["extensions"])


def a_model_describes_its_tensors(client: Client) -> None:
    metadata = client.get_model_metadata("sums")
    assert metadata["name"] == "sums"
    assert metadata["platform"] == "onnxruntime_onnx"
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
    assert [output["name"] for output in metadata["outputs"]] == ["total", "copy"]
    assert client.get_model_metadata("versions", "1")["versions"] == ["1", "2"]


def a_model_shows_its_configuration(client: Client) -> None:
    config = client.get_model_config("sums")
    assert config["name"] == "sums"
    assert config["platform"] == "onnxruntime_onnx"
    assert [(given["name"], given["data_type"]) for given in config["input"]] == [("x", "TYPE_FP32")]
    assert [given["name"] for given in config["output"]] == ["total", "copy"]
    assert client.get_model_config("versions", "1")["name"] == "versions"


def what_is_unknown_is_not_found(client: Client) -> None:
    calls = [
        partial(client.get_model_metadata, "unknown"),
        partial(client.get_model_metadata, "sums", "9"),
        partial(client.get_model_config, "unknown"),
        partial(client.get_inference_statistics, "unknown"),
        partial(client.infer, "unknown", [floats(http, "x", [1, 2])]),
        partial(client.infer, "sums", [floats(http, "x", [1, 2])], "9"),
    ]
    for error in map(refusal, calls):
        assert error.status() == "404"
        assert "'unknown'" in error.message() or "'9'" in error.message()


def a_name_with_characters_that_a_url_needs_quoted_is_not_found(client: Client) -> None:
    error = refusal(lambda: client.get_model_metadata("no such/modèle"))
    assert error.status() == "404"
    assert "modèle" in error.message()


# The repository


def the_index_lists_every_model_and_its_state(client: Client) -> None:
    index = {(model["name"], model["version"]): model["state"] for model in client.get_model_repository_index()}
    assert index[("versions", "1")] == index[("versions", "2")] == index[("sums", "1")] == "READY"


def a_model_is_loaded_used_and_unloaded(client: Client) -> None:
    assert not client.is_model_ready("stored")
    client.load_model("stored")
    assert client.is_model_ready("stored")
    assert same(client.infer("stored", [floats(http, "x", [1, 2])]).as_numpy("y"), np.array([[2, 4]], np.float32))
    client.unload_model("stored")
    assert not client.is_model_ready("stored")
    states = {model["name"]: model["state"] for model in client.get_model_repository_index()}
    assert states["stored"] == "UNAVAILABLE"
    assert refusal(lambda: client.infer("stored", [floats(http, "x", [1, 2])])).status() in ("404", "503")


def a_model_that_is_not_in_the_folder_cannot_be_loaded(client: Client) -> None:
    error = refusal(lambda: client.load_model("unknown"))
    assert error.status() in ("400", "404")
    assert "'unknown'" in error.message()


def a_model_is_never_loaded_from_files_or_configuration_in_the_request(client: Client) -> None:
    error = refusal(lambda: client.load_model("stored", config='{"max_batch_size": 8}'))
    assert error.status() in ("400", "501")
    assert not client.is_model_ready("stored")


# Statistics and settings


def statistics_count_what_was_answered(client: Client) -> None:
    def successes() -> int:
        (stats,) = client.get_inference_statistics("versions", "1")["model_stats"]
        assert (stats["name"], stats["version"]) == ("versions", "1")
        assert stats["execution_count"] <= stats["inference_count"]
        return int(stats["inference_stats"]["success"]["count"])

    before = successes()
    client.infer("versions", [floats(http, "x", [1, 2])], "1")
    assert successes() == before + 1
    everything = client.get_inference_statistics()["model_stats"]
    assert {("versions", "1"), ("sums", "1")} <= {(stats["name"], stats["version"]) for stats in everything}


def logging_and_tracing_are_configured_elsewhere_and_the_refusal_says_so(client: Client) -> None:
    calls = [
        client.get_log_settings,
        client.get_trace_settings,
        partial(client.update_log_settings, {"log_verbose_level": 1}),
        partial(client.update_trace_settings, settings={"trace_level": ["TIMESTAMPS"]}),
        partial(client.get_trace_settings, "sums"),
    ]
    for error in map(refusal, calls):
        assert error.status() == "404"
        assert "/v2" in error.message()


# Inference


def every_datatype_survives_the_round_trip_as_binary(client: Client) -> None:
    for datatype, array in VALUES.items():
        result = client.infer(f"echo_{datatype.lower()}", [tensor(http, "x", array, datatype)])
        assert same(result.as_numpy("y"), array), datatype


def every_datatype_survives_the_round_trip_as_json(client: Client) -> None:
    for datatype, array in VALUES.items():
        given = tensor(http, "x", array, datatype, binary_data=False)
        asked = [InferRequestedOutput("y", binary_data=False)]
        answered = client.infer(f"echo_{datatype.lower()}", [given], outputs=asked).as_numpy("y")
        if datatype == "BYTES":
            answered = np.array([[text.encode() for text in row] for row in answered], np.object_)
        assert same(answered, array), datatype


def binary_and_json_mix_in_inputs_and_outputs(client: Client) -> None:
    for first in (True, False):
        inputs = [
            floats(http, "a", [1], [2], binary_data=first),
            floats(http, "b", [2], [4], binary_data=not first),
        ]
        result = client.infer("divide", inputs, outputs=[InferRequestedOutput("quotient", binary_data=first)])
        assert same(result.as_numpy("quotient"), np.array([[0.5], [0.5]], np.float32))
        outputs = [InferRequestedOutput("total", binary_data=first), InferRequestedOutput("copy", not first)]
        result = client.infer("sums", [floats(http, "x", [1, 2])], outputs=outputs)
        assert same(result.as_numpy("total"), np.array([3], np.float32))
        assert same(result.as_numpy("copy"), np.array([[1, 2]], np.float32))


def nan_and_the_infinities_come_back_as_binary(client: Client) -> None:
    result = client.infer("divide", [floats(http, "a", [0], [1], [-1]), floats(http, "b", [0], [0], [0])])
    quotient = result.as_numpy("quotient")
    assert np.isnan(quotient[0, 0])
    assert quotient[1:].tolist() == [[np.inf], [-np.inf]]


def only_the_outputs_asked_for_come_in_their_order(client: Client) -> None:
    inputs = [floats(http, "x", [1, 2])]
    names = [output["name"] for output in client.infer("sums", inputs).get_response()["outputs"]]
    assert names == ["total", "copy"]
    for asked in (["copy"], ["copy", "total"]):
        outputs = [InferRequestedOutput(name) for name in asked]
        response = client.infer("sums", inputs, outputs=outputs).get_response()
        assert [output["name"] for output in response["outputs"]] == asked
    assert client.infer("sums", inputs, outputs=[InferRequestedOutput("copy")]).as_numpy("total") is None


def scalars_and_empty_tensors_keep_their_shape(client: Client) -> None:
    for binary in (True, False):
        empty = tensor(http, "x", np.zeros((0, 3), np.float32), "FP32", binary_data=binary)
        result = client.infer("echo_fp32", [empty], outputs=[InferRequestedOutput("y", binary_data=binary)])
        assert result.as_numpy("y").shape == (0, 3)
        outputs = [InferRequestedOutput("total", binary_data=binary)]
        result = client.infer("scalar", [tensor(http, "x", np.ones(3, np.float32), "FP32")], outputs=outputs)
        assert same(result.as_numpy("total"), np.array(3, np.float32))
    nothing = tensor(http, "x", np.zeros((0, 2), np.object_), "BYTES")
    assert client.infer("echo_bytes", [nothing]).as_numpy("y").shape == (0, 2)


def the_id_and_the_version_come_back(client: Client) -> None:
    inputs = [floats(http, "x", [1, 2])]
    for version, first in (("1", 2), ("2", 1), ("", 1)):
        result = client.infer("versions", inputs, version, request_id=f"id-{version}-é")
        response = result.get_response()
        assert response["id"] == f"id-{version}-é"
        assert (response["model_name"], response["model_version"]) == ("versions", version or "2")
        assert result.as_numpy("y")[0, 0] == first
    assert "id" not in client.infer("versions", inputs).get_response()


def parameters_priority_and_timeout_are_accepted(client: Client) -> None:
    parameters = {"text": "x", "number": 1, "fraction": 0.5, "flag": True}
    inputs = [floats(http, "x", [1, 2])]
    result = client.infer("sums", inputs, priority=1, timeout=10_000_000, parameters=parameters)
    assert same(result.as_numpy("total"), np.array([3], np.float32))


def headers_query_and_plugins_do_no_harm(client: Client) -> None:
    client.register_plugin(BasicAuth("user", "secret"))
    inputs = [floats(http, "x", [1, 2])]
    result = client.infer("sums", inputs, headers={"X-Any": "thing"}, query_params={"a": ["b", "c"]})
    assert result.as_numpy("total").tolist() == [3]
    assert client.is_server_live(headers={"X-Any": "thing"}, query_params={"a": "b"})


def bodies_and_answers_can_be_compressed(client: Client) -> None:
    array = np.arange(30_000, dtype=np.float32).reshape(3, -1)
    for algorithm in ("gzip", "deflate"):
        for binary in (True, False):
            result = client.infer(
                "echo_fp32",
                [tensor(http, "x", array, "FP32", binary_data=binary)],
                outputs=[InferRequestedOutput("y", binary_data=binary)],
                request_compression_algorithm=algorithm,
                response_compression_algorithm=algorithm,
            )
            assert same(result.as_numpy("y"), array), (algorithm, binary)


def an_error_can_be_read_where_a_compressed_answer_was_asked_for(client: Client) -> None:
    for algorithm in ("gzip", "deflate"):
        wrong = partial(
            client.infer, "sums", [floats(http, "z", [1, 2])], response_compression_algorithm=algorithm
        )
        assert "z" in refusal(wrong).message()


def a_large_tensor_goes_both_ways(client: Client) -> None:
    array = np.random.default_rng(1).random((3, 1_000_000), np.float32)
    assert same(client.infer("echo_fp32", [tensor(http, "x", array, "FP32")]).as_numpy("y"), array)


def many_requests_at_once_are_each_answered(client: Client) -> None:
    parallel = client if AIO else Client(URL, concurrency=4)
    requests = [parallel.async_infer("sums", [floats(http, "x", [number, 1])]) for number in range(20)]
    totals = [request.get_result(timeout=20).as_numpy("total").tolist() for request in requests]
    assert totals == [[number + 1] for number in range(20)]
    failing = parallel.async_infer("sums", [floats(http, "z", [1, 2])], request_compression_algorithm="gzip")
    assert refusal(failing.get_result).status() == "400"


def bodies_made_and_read_apart_from_the_client_work(client: Client) -> None:
    body, json_size = client.generate_request_body([floats(http, "x", [1, 2])], request_id="7")
    headers = {"Inference-Header-Content-Length": str(json_size)}
    request = urllib.request.Request(f"http://{URL}/v2/models/sums/infer", body, headers)
    with urllib.request.urlopen(request) as answer:
        header_length = int(answer.headers["Inference-Header-Content-Length"])
        assert answer.headers["Content-Type"] == "application/octet-stream"
        result: InferResult = client.parse_response_body(answer.read(), header_length=header_length)
    assert same(result.as_numpy("total"), np.array([3], np.float32))
    assert result.get_output("total")["datatype"] == "FP32"


# What has to be refused


def wrong_inputs_are_refused_with_a_sentence(client: Client) -> None:
    wrong = {
        "'z'": [floats(http, "z", [1, 2])],
        "input b": [floats(http, "a", [1])],
        "FP32": [tensor(http, "x", np.array([[1, 2]]), "INT64")],
        "BF16": [tensor(http, "x", np.array([[1, 2]], ml_dtypes.bfloat16), "BF16")],
        "[1,3]": [floats(http, "x", [1, 2, 3])],
    }
    for words, inputs in wrong.items():
        for binary in (True, False):
            outputs = None if binary else [InferRequestedOutput("y", binary_data=False)]
            model = "divide" if words == "input b" else "sums"
            error = refusal(partial(client.infer, model, inputs, outputs=outputs))
            assert error.status() == "400"
            assert words in error.message().replace(", ", ",").replace("'b'", "b")


def an_output_that_the_model_does_not_have_is_refused(client: Client) -> None:
    outputs = [InferRequestedOutput("nothing")]
    error = refusal(lambda: client.infer("sums", [floats(http, "x", [1, 2])], outputs=outputs))
    assert (error.status(), "'nothing'" in error.message()) == ("400", True)


def classification_is_refused_rather_than_ignored(client: Client) -> None:
    outputs = [InferRequestedOutput("copy", class_count=1)]
    error = refusal(lambda: client.infer("sums", [floats(http, "x", [1, 2])], outputs=outputs))
    assert error.status() in ("400", "501")


def bytes_that_are_no_text_are_refused(client: Client) -> None:
    given = tensor(http, "x", np.array([[b"\xff\xfe"]], np.object_), "BYTES")
    error = refusal(lambda: client.infer("echo_bytes", [given]))
    assert (error.status(), "UTF-8" in error.message()) == ("400", True)


def a_model_that_fails_is_the_server_s_error(client: Client) -> None:
    given = tensor(http, "index", np.array([7]), "INT64")
    error = refusal(lambda: client.infer("lookup", [given]))
    assert (error.status(), "'lookup'" in error.message()) == ("500", True)


if __name__ == "__main__":
    hold_all(__name__, partial(Blocking, partial(aio.InferenceServerClient, URL)) if AIO else partial(Client, URL))
