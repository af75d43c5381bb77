"""What was said in an answer, without what the protocol wraps around it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from modelserver.errors import BadRequest, TooLarge
from modelserver.http.compression import WINDOW_BITS, decompressed
from modelserver.http.message import Response
from modelserver.models.datatypes import BY_NAME, DATATYPES
from modelserver.protocols import oip
from modelserver.protocols.binary import tensor_of
from modelserver.protocols.tensors import FEW_CONTAINERS, check_containers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelserver.models.datatypes import Array, Buffer
    from modelserver.observers.finished import Finished

MAX_BYTES = 64 * 1024 * 1024  # of a body that was compressed
JSON_LENGTH = oip.JSON_LENGTH.lower()
NAMES = {datatype.dtype: datatype.name for datatype in DATATYPES}
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError, BadRequest, TooLarge)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer over HTTP, whose `headers` are found by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def told(request: Finished) -> Callable[[], object]:
    """What its user was told, to be called later and in any thread; until then it holds the answer and no more."""
    response = request.answer
    if isinstance(response, Response):
        headers = {name.lower(): value for name, value in response.headers}
        body = b"".join((response.body, *response.tail))
        return partial(said, Answer(response.status, headers, body), is_oip=request.protocol == oip.NAME)
    names = request.inference.outputs if request.inference else ()
    return partial(_tensors, names, [np.array(value) for value in request.values or ()])  # not what ran with them


def said(answer: Answer, *, is_oip: bool) -> object:
    """What `answer` says: its outputs by name where it `is_oip`, else what is in its JSON. What cannot be read so
    says its bytes.
    """
    body = answer.body
    with suppress(*UNREADABLE):
        if answer.headers.get("content-encoding") in WINDOW_BITS:
            body = decompressed(body, MAX_BYTES)
        if is_oip:
            return _outputs(body, int(answer.headers.get(JSON_LENGTH, len(body))))
        return _json(body)
    return body


def _outputs(body: bytes, json_length: int) -> dict[str, Any]:
    """The outputs in `body`, those that are bytes as arrays."""
    binary = memoryview(body)[json_length:]
    found, start = {}, 0
    for output in _json(body[:json_length])["outputs"]:
        raw = binary[start : start + output.get("parameters", {}).get("binary_data_size", 0)]
        start += len(raw)
        found[output["name"]] = {
            "datatype": output["datatype"],
            "shape": output["shape"],
            "data": output["data"] if "data" in output else _tensor(output, raw),
        }
    return found


def _tensor(output: Mapping[str, Any], raw: Buffer) -> Array:
    return tensor_of(raw, BY_NAME[output["datatype"]], tuple(output["shape"]))


def _tensors(names: Sequence[str], values: Sequence[Array]) -> dict[str, Any]:
    """The same of outputs that were never written as OIP."""
    return {
        name: {"datatype": NAMES[value.dtype], "shape": list(value.shape), "data": value}
        for name, value in zip(names, values, strict=True)
    }


def _json(body: bytes) -> Any:
    """The JSON in `body`. Handlers may write NaN, which Python reads and orjson does not."""
    if len(body) > FEW_CONTAINERS:
        check_containers(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)
