"""JSON values become tensors unchanged, or not at all."""

from __future__ import annotations

import numpy as np
import orjson
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelserver.errors import BadRequest
from modelserver.models.datatypes import BY_NAME, DATATYPES, Array, Datatype
from modelserver.protocols.tensors import MOST_CONTAINERS, array_of, dumps, loads, reshaped

NUMERIC = [datatype for datatype in DATATYPES if not datatype.is_text]
INTEGER = [datatype for datatype in NUMERIC if datatype.dtype.kind in "iu"]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@st.composite
def arrays(draw: st.DrawFn) -> tuple[Datatype, Array]:
    datatype = draw(st.sampled_from(NUMERIC))
    finite = {"allow_nan": False, "allow_infinity": False} if datatype.is_float else {}
    elements = hnp.from_dtype(datatype.dtype, **finite)  # type: ignore[arg-type]
    return datatype, draw(hnp.arrays(datatype.dtype, SHAPES, elements=elements))


@given(arrays())
def test_a_tensor_that_is_written_as_json_and_read_again_is_the_same(written: tuple[Datatype, Array]) -> None:
    datatype, array = written
    read = array_of(orjson.loads(dumps(array)), datatype)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@given(hnp.arrays(object, SHAPES, elements=st.text()))
def test_text_that_is_written_as_json_and_read_again_is_the_same(array: Array) -> None:
    np.testing.assert_array_equal(array_of(orjson.loads(dumps(array)), BY_NAME["BYTES"]), array)


@given(st.sampled_from(INTEGER), st.lists(st.integers(-(2**70), 2**70), min_size=1))
def test_an_integer_tensor_holds_exactly_the_numbers_sent_or_is_refused(
    datatype: Datatype, sent: list[int]
) -> None:
    limits = np.iinfo(datatype.dtype.name)
    if all(limits.min <= number <= limits.max for number in sent):
        assert array_of(sent, datatype).tolist() == sent
    else:
        with pytest.raises(BadRequest, match=datatype.name):
            array_of(sent, datatype)


@given(st.sampled_from(DATATYPES), JSON)
@example(BY_NAME["FP64"], [10**400])
def test_any_json_becomes_a_tensor_of_the_datatype_or_a_bad_request(datatype: Datatype, data: object) -> None:
    try:
        array = array_of(data, datatype)
    except BadRequest:
        return
    assert array.dtype == datatype.dtype


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("INT64", [1.5]),
        ("INT64", ["12"]),
        ("INT64", [None]),
        ("INT8", [128]),
        ("UINT8", [-1]),
        ("FP32", ["1.5"]),
        ("FP32", [1, "a"]),
        ("FP32", [1e39]),
        ("FP16", [1e6]),
        ("FP64", [{}]),
        ("FP64", ["NaN"]),
        ("INT64", [2.0**53 + 2]),
        ("INT8", [128.0]),
        ("BOOL", [2]),
        ("BOOL", [0.5]),
        ("BOOL", ["true"]),
        ("BOOL", [None]),
        ("BYTES", [1]),
        ("BYTES", [1, "a"]),
        ("BYTES", [None]),
    ],
)
def test_a_value_of_another_kind_is_refused_rather_than_converted(name: str, data: object) -> None:
    with pytest.raises(BadRequest, match=f"not a valid {name}"):
        array_of(data, BY_NAME[name])


@pytest.mark.parametrize("datatype", DATATYPES, ids=lambda datatype: datatype.name)
def test_ragged_lists_are_refused_and_called_ragged(datatype: Datatype) -> None:
    element = "a" if datatype.is_text else 1
    with pytest.raises(BadRequest, match="ragged"):
        array_of([[element, element], [element]], datatype)


def test_null_is_nan_in_a_float_tensor() -> None:
    np.testing.assert_array_equal(
        array_of([1, None, 2.5], BY_NAME["FP32"]), np.array([1, np.nan, 2.5], np.float32)
    )


def test_true_and_false_are_one_and_zero_and_the_other_way_round() -> None:
    assert array_of([True, False], BY_NAME["INT32"]).tolist() == [1, 0]
    assert array_of([1, 0, 1.0, 0.0, True], BY_NAME["BOOL"]).tolist() == [True, False, True, False, True]


def test_a_float_that_is_whole_is_an_integer() -> None:
    assert array_of([7.0, -(2.0**53), 1], BY_NAME["INT64"]).tolist() == [7, -(2**53), 1]


@pytest.mark.parametrize("bad", ["a", None, [], {}])
def test_one_bad_value_among_many_is_found(bad: object) -> None:
    with pytest.raises(BadRequest):
        array_of([*range(1000), bad], BY_NAME["INT64"])
    with pytest.raises(BadRequest):
        array_of([["a"] * 1000, ["a"] * 999 + [bad if bad != "a" else 1]], BY_NAME["BYTES"])


def test_nan_and_infinities_are_written_as_null() -> None:
    assert dumps(np.array([1.5, np.nan, np.inf, -np.inf], np.float32)) == b"[1.5,null,null,null]"


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_tensors_without_elements_are_read_and_written(shape: tuple[int, ...]) -> None:
    data = orjson.loads(dumps(np.zeros(shape, np.int64)))
    assert reshaped(array_of(data, BY_NAME["INT64"]).reshape(-1), shape).shape == shape


def test_lists_nested_deeper_than_any_tensor_are_refused() -> None:
    data: object = 1.0
    for _ in range(100):
        data = [data]
    with pytest.raises(BadRequest):
        array_of(data, BY_NAME["FP32"])


@given(arrays(), SHAPES)
def test_flat_data_takes_any_shape_of_its_size_and_no_other(
    written: tuple[Datatype, Array], shape: tuple[int, ...]
) -> None:
    flat = written[1].reshape(-1)
    if flat.size == np.prod(shape):
        np.testing.assert_array_equal(reshaped(flat, shape).reshape(-1), flat)
    else:
        with pytest.raises(BadRequest, match="was declared"):
            reshaped(flat, shape)


@pytest.mark.parametrize("shape", [(0, 2**62, 2**62), (0, 2**70), (0,) * 100])
def test_a_shape_that_nothing_can_have_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadRequest, match="no tensor can have the shape"):
        reshaped(np.zeros(0, np.float32), shape)


def test_nested_data_keeps_its_shape() -> None:
    with pytest.raises(BadRequest, match=r"\[2, 3\].*\[3, 2\]"):
        reshaped(np.zeros((2, 3)), (3, 2))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"1e400", b'{"data": NaN}', b'{"data": 1e400}', b"\xff", b'"a"']
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="body"):
        loads(body)


@pytest.mark.parametrize("container", ["[]", "{}"])
def test_a_body_of_more_lists_and_objects_than_belong_in_memory_is_refused(container: str) -> None:
    beyond = ",".join([container] * (MOST_CONTAINERS + 1))
    with pytest.raises(BadRequest, match="more than 2097152 lists and objects"):
        loads(b'{"data":[%s]}' % beyond.encode())


def test_json_that_is_nested_without_end_is_refused() -> None:
    with pytest.raises(BadRequest, match="JSON"):
        loads(b'{"data":' + b"[" * 100_000)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_rounded_to_the_nearest_of_its_datatype(number: float) -> None:
    assume(abs(number) < float(np.finfo(np.float32).max))
    assert array_of([number], BY_NAME["FP32"])[0] == np.float32(number)
