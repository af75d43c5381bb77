"""What is posted to a server and where its answer has the values, in each of the protocols that peers speak."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from local.shell import Failure

if TYPE_CHECKING:
    from bench.serving.models import Model

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Read: TypeAlias = Callable[[Message, bytes], Array]

HEADER_LENGTH = "Inference-Header-Content-Length"
JSON = {"Content-Type": "application/json"}
TOLERANCE = 1e-4
TIMEOUT_S = 30


@dataclass(frozen=True)
class Exchange:
    """A request that is posted over and over: where it goes, what it carries, how its answer is read."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    read: Read


def score(_: Model, rows: Array) -> Exchange:
    """The old template's and Azure ML's."""
    body = json.dumps({"data": rows.tolist()}).encode()
    return Exchange("/score", JSON, body, lambda _, answer: np.array(json.loads(answer)["results"]))


def v1(model: Model, rows: Array) -> Exchange:
    """TensorFlow Serving's, which KServe calls v1."""
    body = json.dumps({"instances": rows.tolist()}).encode()
    path = f"/v1/models/{model.name}:predict"
    return Exchange(path, JSON, body, lambda _, answer: np.array(json.loads(answer)["predictions"]))


def v2(model: Model, rows: Array) -> Exchange:
    """The Open Inference Protocol's, as JSON."""
    tensor = {**_described(model, rows), "data": rows.ravel().tolist()}
    return Exchange(_infer(model), JSON, json.dumps({"inputs": [tensor]}).encode(), _v2_values)


def binary(model: Model, rows: Array) -> Exchange:
    """The Open Inference Protocol's with binary tensors both ways, as Triton's own client sends it."""
    content = rows.tobytes()
    head = {
        "inputs": [{**_described(model, rows), "parameters": {"binary_data_size": len(content)}}],
        "outputs": [{"name": model.output, "parameters": {"binary_data": True}}],
    }
    header = json.dumps(head).encode()
    headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(header))}
    return Exchange(_infer(model), headers, header + content, _v2_values)


PROTOCOLS: dict[str, Callable[[Model, Array], Exchange]] = {
    protocol.__name__: protocol for protocol in (score, v1, v2, binary)
}


def _infer(model: Model) -> str:
    return f"/v2/models/{model.name}/infer"


def _described(model: Model, rows: Array) -> dict[str, object]:
    return {"name": model.input, "shape": list(rows.shape), "datatype": model.datatype}


def _v2_values(headers: Message, answer: bytes) -> Array:
    """The values of the only output, which are behind the JSON when a header says how long that is."""
    length = int(headers.get(HEADER_LENGTH) or len(answer))
    (output,) = json.loads(answer[:length])["outputs"]
    return np.array(output["data"]) if "data" in output else np.frombuffer(answer[length:], np.float32)


def check(host: str, port: int, exchange: Exchange, expected: Array) -> None:
    """Returns if the server gives the expected values; raises Failure with what it gives instead, or OSError."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", exchange.path, exchange.body, dict(exchange.headers))
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise Failure(f"{exchange.path} answers {response.status}: {answer[:500].decode(errors='replace')}")
    values = exchange.read(response.headers, answer)
    if values.size != expected.size or not np.allclose(values.ravel(), expected.ravel(), atol=TOLERANCE):
        raise Failure(f"{exchange.path} answers {values.ravel()[:5]} where {expected.ravel()[:5]} are right")
