"""Shapes that lie: no product of sizes is ever believed before the data has been counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.hostile.bodies import tensor
from tests.hostile.conftest import refused
from tests.hostile.wire import request, told

if TYPE_CHECKING:
    from tests.support.server_process import ServerProcess

MOST = 2**63 - 1

LIES = {
    "negative": ("[-1]", "[1]"),
    "two negatives": ("[-1, -1]", "[1]"),
    "2^63": (f"[{2**63}]", "[1]"),
    "2^64 + 1, which is 1 in 64 bits": (f"[{2**64 + 1}]", "[1]"),
    "a product of 2^64, which is 0 in 64 bits": (f"[{2**32}, {2**32}]", "[]"),
    "a product of 2^64 + 1": ("[274177, 67280421310721]", "[1]"),
    "a product beyond 64 bits with a zero": (f"[{MOST}, {MOST}, 0]", "[]"),
    "beyond memory": ("[1000000000000]", "[1]"),
    "beyond memory with no data": ("[1000000000000]", "[]"),
    "100 dimensions": (json.dumps([1] * 100), "[1]"),
    "100,000 dimensions": (json.dumps([1] * 100_000), "[1]"),
    "10,000 dimensions of 2": (json.dumps([2] * 10_000), "[1]"),
    "a fraction": ("[1.0]", "[1]"),
    "a boolean": ("[true]", "[1]"),
    "a string": ('["1"]', "[1]"),
    "null": ("null", "[1]"),
    "an object": ("{}", "[1]"),
    "lists": ("[[1]]", "[1]"),
    "fewer values": ("[2]", "[1]"),
    "more values": ("[2]", "[1, 2, 3]"),
    "values for an empty tensor": ("[0]", "[1]"),
    "a ragged list": ("[2, 2]", "[[1, 2], [3]]"),
    "a list that is nested otherwise": ("[2, 2]", "[[[1, 2]], [[3, 4]]]"),
    "a value beside a list": ("[2]", "[1, [2]]"),
}


@pytest.mark.parametrize(("shape", "data"), LIES.values(), ids=LIES)
def test_a_shape_that_does_not_fit_the_data_is_refused(server: ServerProcess, shape: str, data: str) -> None:
    refused(server, tensor(data, shape))


@pytest.mark.parametrize("shape", ["[]", "[2]", "[1, 3]", "[1, 1, 2]", "[0, 3]", f"[{MOST}, 2]"])
def test_a_shape_that_the_model_does_not_take_is_refused(server: ServerProcess, shape: str) -> None:
    sizes = json.loads(shape)
    refused(server, tensor(json.dumps([0] * sum(sizes) if max(sizes, default=0) < 9 else []), shape), "pair")


@pytest.mark.parametrize("shape", [[0], [0, 7], [3, 0, 2], [], [1] * 32])
def test_unusual_shapes_that_are_true_are_served(server: ServerProcess, shape: list[int]) -> None:
    data = [] if 0 in shape else [1]
    answer = told(server, request(tensor(json.dumps(data), json.dumps(shape))))
    assert answer
    assert answer.status == 200
    assert (answer.json()["outputs"][0]["shape"], answer.json()["outputs"][0]["data"]) == (shape, data)


def test_an_index_beyond_the_table_is_the_failure_of_the_model_alone(server: ServerProcess) -> None:
    for index in (3, -4, MOST, -MOST):
        body = tensor(f"[{index}]", datatype="INT64").replace(b'"x"', b'"index"')
        answer = told(server, request(body, path="/v2/models/lookup/infer"))
        assert answer
        assert (answer.status, "'lookup'" in answer.json()["error"]) == (500, True)
