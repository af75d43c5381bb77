"""Bodies carry the row, and answers give their values, in every protocol."""

import json
from email.message import Message
from pathlib import Path

import numpy as np

from bench.serving import exchanges
from bench.serving.models import Model

ROW = np.array([[1.5, 2.5]], np.float32)
MODEL = Model("tiny", Path("tiny.onnx"), "x", "y", "FP32", ROW, np.array([[3.0]], np.float32))


def header(**fields: str) -> Message:
    message = Message()
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


def test_score_carries_rows_and_is_answered_with_results() -> None:
    exchange = exchanges.score(MODEL, ROW)
    assert json.loads(exchange.body) == {"data": [[1.5, 2.5]]}
    assert exchange.read(Message(), b'{"results": [[3.0]]}').tolist() == [[3.0]]


def test_v1_names_the_model_in_the_path_and_is_answered_with_predictions() -> None:
    exchange = exchanges.v1(MODEL, ROW)
    assert (exchange.path, json.loads(exchange.body)) == ("/v1/models/tiny:predict", {"instances": [[1.5, 2.5]]})
    assert exchange.read(Message(), b'{"predictions": [[3.0]]}').tolist() == [[3.0]]


def test_v2_carries_flat_data_with_its_shape() -> None:
    (tensor,) = json.loads(exchanges.v2(MODEL, ROW).body)["inputs"]
    assert tensor == {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.5, 2.5]}


def test_binary_puts_the_tensor_behind_the_json_and_says_how_long_both_are() -> None:
    exchange = exchanges.binary(MODEL, ROW)
    length = int(exchange.headers["Inference-Header-Content-Length"])
    (tensor,) = json.loads(exchange.body[:length])["inputs"]
    assert tensor["parameters"] == {"binary_data_size": 8}
    assert exchange.body[length:] == ROW.tobytes()


def test_an_answer_in_v2_is_read_from_json_or_from_behind_it() -> None:
    read = exchanges.binary(MODEL, ROW).read
    assert read(Message(), b'{"outputs": [{"name": "y", "data": [3.0]}]}').tolist() == [3.0]
    head = b'{"outputs": [{"name": "y", "parameters": {"binary_data_size": 4}}]}'
    fields = header(inference_header_content_length=str(len(head)))
    assert read(fields, head + np.array([3], np.float32).tobytes()).tolist() == [3.0]
