"""A thousand models of all kinds answer in every protocol as ONNX Runtime does when it is called directly."""

from __future__ import annotations

import math
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest

from modelserver.errors import Unsupported
from modelserver.grpc import dialect
from modelserver.grpc.inference_pb2 import ModelInferResponse
from modelserver.grpc.message import Call
from modelserver.http.message import Request
from modelserver.models.datatypes import BY_NAME, DATATYPES, Array
from modelserver.models.model import Model, load
from modelserver.protocols import oip, score
from modelserver.protocols.binary import raw_of, tensor_of
from modelserver.protocols.tensors import dumps
from tests.support.grpc_client import arrays, raw_request, typed_request
from tests.support.model_zoo import RECIPES, Specimen, same, specimens
from tests.support.onnx_models import saved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

SPECIMENS = 1200


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Specimen, Model]]:
    """Every specimen, and the model as it is served."""
    folder: Path = tmp_path_factory.mktemp("zoo")
    numbers = count()
    return [
        (specimen, load("m", "1", saved(specimen.model, folder / f"{next(numbers)}.onnx")))
        for specimen in specimens(SPECIMENS)
    ]


Zoo = list[tuple[Specimen, Model]]


def test_the_zoo_has_everything_that_protocols_have_to_carry(zoo: Zoo) -> None:
    inputs = [array for specimen, _ in zoo for array in specimen.feed.values()]
    outputs = [value for specimen, _ in zoo for value in specimen.answer.values()]
    assert {(array.dtype, array.ndim) for array in inputs} >= {
        (datatype.dtype, rank) for datatype in DATATYPES for rank in range(6)
    }
    assert {datatype.dtype for datatype in DATATYPES} <= {
        value.dtype for value in outputs if isinstance(value, np.ndarray)
    }
    kinds = Counter(specimen.kind for specimen, _ in zoo)
    assert len(kinds) == len(set(RECIPES))
    assert min(kinds.values()) > 10
    assert any(array.size == 0 for array in inputs)
    assert any(isinstance(value, list) and isinstance(value[0], dict) for value in outputs)


def test_binary_tensors_are_answered_bit_for_bit(zoo: Zoo) -> None:
    for specimen, model in with_tensors(zoo):
        raws = [raw_of(array) for array in specimen.feed.values()]
        inputs = [
            described(name, array) | {"parameters": {"binary_data_size": len(raw)}}
            for (name, array), raw in zip(specimen.feed.items(), raws, strict=True)
        ]
        head = dumps({"inputs": inputs, "parameters": {"binary_data_output": True}})
        headers = {b"inference-header-content-length": str(len(head)).encode()}
        response = ask(oip, model, head + b"".join(raws), headers)
        tail = b"".join(response.tail)
        found = {}
        for output in orjson.loads(response.body)["outputs"]:
            size = output["parameters"]["binary_data_size"]
            found[output["name"]] = tensor_of(tail[:size], BY_NAME[output["datatype"]], tuple(output["shape"]))
            tail = tail[size:]
        assert not tail
        assert_tensors(specimen, found, lambda value: value)


def test_messages_of_grpc_are_answered_bit_for_bit(zoo: Zoo) -> None:
    for specimen, model in with_tensors(zoo):
        inputs = {name: (described(name, array)["datatype"], array) for name, array in specimen.feed.items()}
        has_fp16 = any(array.dtype == np.float16 for array in specimen.feed.values())
        for make in (raw_request,) if has_fp16 else (raw_request, typed_request):
            sent = make("m", **inputs)
            inference = dialect.parse(model, Call("POST", "/", {}, message=sent, raw=sent.raw_input_contents))
            reply = inference.answer(model.run(inference.feed, inference.outputs))
            found = arrays(ModelInferResponse.FromString(b"".join(reply.pieces)))
            assert_tensors(specimen, found, lambda value: value)


def test_json_tensors_are_answered_with_the_same_numbers(zoo: Zoo) -> None:
    for specimen, model in with_tensors(zoo):
        for form in (flat, nested):
            inputs = [described(name, array) | {"data": form(array)} for name, array in specimen.feed.items()]
            response = ask(oip, model, dumps({"inputs": inputs}))
            found = {
                output["name"]: read(output["data"], BY_NAME[output["datatype"]].dtype).reshape(output["shape"])
                for output in orjson.loads(response.body)["outputs"]
            }
            assert_tensors(specimen, found, without_infinities)


def test_score_answers_with_the_same_numbers(zoo: Zoo) -> None:
    asked = 0
    for specimen, model in zoo:
        if any(0 in array.shape[:-1] for array in specimen.feed.values()):
            continue  # an empty list does not say what it would be a list of
        asked += 1
        results = orjson.loads(ask(score, model, dumps({"data": specimen.feed})).body)["results"]
        found = by_output(results, specimen)
        for name, wanted in specimen.answer.items():
            assert equals(found[name], wanted), (specimen, name, found[name], wanted)
    assert asked > 1000


def test_a_model_that_gives_no_tensors_is_left_to_score(zoo: Zoo) -> None:
    with_some = with_tensors(zoo)
    assert len(with_some) > 1000
    for specimen, model in zoo:
        if (specimen, model) not in with_some:
            inputs = [described(name, array) | {"data": flat(array)} for name, array in specimen.feed.items()]
            with pytest.raises(Unsupported, match="ask /score"):
                ask(oip, model, dumps({"inputs": inputs}))


def with_tensors(zoo: Zoo) -> Zoo:
    return [item for item in zoo if any(isinstance(value, np.ndarray) for value in item[0].answer.values())]


def ask(protocol: ModuleType, model: Model, body: bytes, headers: dict[bytes, bytes] | None = None) -> Any:
    inference = protocol.parse(model, Request("POST", "/", headers or {}, body))
    return inference.answer(model.run(inference.feed, inference.outputs))


def described(name: str, array: Array) -> dict[str, Any]:
    datatype = next(datatype.name for datatype in DATATYPES if datatype.dtype == array.dtype)
    return {"name": name, "shape": array.shape, "datatype": datatype}


def flat(array: Array) -> Array:
    return array.reshape(-1)


def nested(array: Array) -> Array:
    return array if array.ndim else flat(array)


def read(data: Any, dtype: np.dtype[Any]) -> Array:
    """As a client reads it: null is NaN, and a float has all of its digits."""
    return np.array(data, np.float64).astype(dtype) if dtype.kind == "f" else np.array(data, dtype)


def without_infinities(value: Array) -> Array:
    """`value` as JSON can have it."""
    return np.where(np.isfinite(value), value, value.dtype.type(math.nan)) if value.dtype.kind == "f" else value


def assert_tensors(specimen: Specimen, found: dict[str, Array], as_sent: Callable[[Array], Array]) -> None:
    """That `found` are the tensors of the right answer, as far as they can be sent."""
    tensors = {name: as_sent(value) for name, value in specimen.answer.items() if isinstance(value, np.ndarray)}
    assert found.keys() == tensors.keys(), specimen
    for name, wanted in tensors.items():
        assert same(found[name], wanted), (specimen, name, found[name], wanted)


def by_output(results: Any, specimen: Specimen) -> dict[str, Any]:
    """`results` by the names of the outputs, whether they came as one value, as rows or as one object."""
    names = list(specimen.answer)
    if len(names) == 1:
        return {names[0]: results}
    if isinstance(results, dict):
        return results
    return {name: [row[name] for row in results] for name in names}


def equals(found: Any, wanted: Any) -> bool:
    """Whether `found` in JSON is the output `wanted`, numbers as exactly as their datatype is."""
    if isinstance(wanted, dict):
        return bool(found == {str(key): value for key, value in wanted.items()})
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(equals, found, wanted))
    if not wanted.size:
        return bool(found == wanted.tolist())
    return same(read(found, wanted.dtype), without_infinities(wanted))
