"""Bodies that nobody thought of: whatever Hypothesis makes, the answer is one that a client can act on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.conftest import GOOD
from tests.hostile.wire import Answer, request, told, wired

if TYPE_CHECKING:
    from tests.support.server_process import ServerProcess

fuzzed = settings(
    max_examples=400,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
MODELS = ("echo", "echo_int64", "flags", "text", "pair", "lookup")
DATATYPES = ("FP32", "FP16", "INT64", "UINT8", "BOOL", "BYTES", "BF16", "", None, 1)

numbers = st.one_of(
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([2**31, 2**32, 2**63, 2**64, -(2**63) - 1, 0, -1]),
    st.floats(allow_nan=False, allow_infinity=False),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=12,
)
parameters = st.one_of(
    values,
    st.fixed_dictionaries(
        {}, optional={"binary_data_size": numbers, "classification": values, "binary_data": values}
    ),
)
tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": st.one_of(st.sampled_from(["x", "index", "y"]), values),
        "shape": st.one_of(st.lists(numbers, max_size=5), st.lists(st.integers(0, 3), max_size=3), values),
        "datatype": st.one_of(st.sampled_from(DATATYPES), values),
        "data": st.one_of(st.lists(numbers, max_size=6), values),
        "parameters": parameters,
    },
)
requests = st.fixed_dictionaries(
    {"inputs": st.one_of(st.lists(tensors, max_size=3), values)},
    optional={"id": values, "parameters": parameters, "outputs": st.one_of(st.lists(tensors, max_size=2), values)},
)


@given(body=requests, model=st.sampled_from(MODELS))
@fuzzed
def test_an_inference_request_of_odd_parts_is_served_or_refused(
    server: ServerProcess, body: Any, model: str
) -> None:
    answer = told(server, request(json.dumps(body).encode(), path=f"/v2/models/{model}/infer"))
    understandable(answer, "error", model)


@given(body=requests, model=st.sampled_from(MODELS), tail=st.binary(max_size=40), off=st.integers(-2, 2))
@fuzzed
def test_so_is_one_with_bytes_behind_it(
    server: ServerProcess, body: Any, model: str, tail: bytes, off: int
) -> None:
    head = json.dumps(body).encode()
    length = f"Inference-Header-Content-Length: {len(head) + off}"
    answer = told(server, request(head + tail, length, path=f"/v2/models/{model}/infer"))
    understandable(answer, "error", model)


@given(data=st.one_of(values, requests), model=st.sampled_from(MODELS))
@fuzzed
def test_so_is_anything_that_is_to_be_scored(server: ServerProcess, data: Any, model: str) -> None:
    for body in (data, {"data": data}, {"dataframe_split": data}, {"columns": data, "data": data}):
        answer = told(server, request(json.dumps(body).encode(), path=f"/score?model_name={model}"))
        understandable(answer, "message", model)


@given(
    body=st.binary(max_size=200),
    headers=st.lists(st.text(st.characters(codec="latin-1"), max_size=30), max_size=3),
)
@fuzzed
def test_bytes_in_place_of_a_body_or_a_header_are_refused(
    server: ServerProcess, body: bytes, headers: list[str]
) -> None:
    answer = told(server, request(body, *headers))
    assert answer is None or answer.status < 500


@given(pieces=st.lists(st.tuples(st.integers(0, 250), st.binary(min_size=1, max_size=4)), min_size=1, max_size=4))
@fuzzed
def test_a_request_with_wrong_bytes_in_it_is_served_or_refused(
    server: ServerProcess, pieces: list[tuple[int, bytes]]
) -> None:
    data = bytearray(request(GOOD))
    for start, piece in pieces:
        data[start : start + len(piece)] = piece
    with wired(server, seconds=2) as wire:
        wire.send(bytes(data))
        wire.end()
        answer = wire.answer()
        assert answer is None or answer.status < 500 or answer.status == 505  # its version became another one


def understandable(answer: Answer | None, member: str, model: str) -> None:
    """Fails unless the answer is a success or a refusal with a sentence; `lookup` may also fail by itself."""
    assert answer
    assert answer.status in ((200, 400, 501, 500) if model == "lookup" else (200, 400, 501))
    if answer.status != 200:
        assert answer.json()[member]
