"""Numbers that are read in bulk are what the careful reader finds, or are left to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserver.errors import BadRequest
from modelserver.models.datatypes import BY_NAME, DATATYPES, Array, Datatype
from modelserver.models.signature import Signature, TensorSpec
from modelserver.protocols import bulk
from modelserver.protocols.bulk import NotBulk
from modelserver.protocols.tensors import array_of, loads, understood

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = st.one_of(
    st.integers(-300, 300).map(str),
    st.integers(-(2**65), 2**65).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-100, 100, width=32).map(repr),
    st.integers(-(2**60), 2**60).map(lambda number: repr(float(number))),
    st.sampled_from(
        [
            "-0",
            "-0.0",
            "0e5",
            "1e400",
            "-1e400",
            "1e-400",
            "1E+5",
            "2.5e3",
            "5e-324",
            "0.0",
            "3.4028236e38",
            "65520",
        ]
    ),
)
SPICES = (
    st.sampled_from(["null", "true", "false", '"a"', '"["', '"\\u0000"', '"\\ud800"', "NaN", "Infinity", "-"])
    | st.sampled_from(["[]", "[[]]", "{}", '{"a":[1,2]}', "[1]", "[1,[2]]", '{"a":1,"a":[[2]]}', "[" * 1100])
    | st.sampled_from(["01", "+1", "1.", ".5", "9" * 30])
)


@st.composite
def nested(draw: st.DrawFn) -> str:
    """A list of lists of numbers, all of one length on each level, as JSON."""
    shape = draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    numbers = iter(draw(st.lists(NUMBERS, min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))))

    def written(sizes: list[int]) -> str:
        return f"[{','.join(written(sizes[1:]) for _ in range(sizes[0]))}]" if sizes else next(numbers)

    return written(shape)


@st.composite
def flat(draw: st.DrawFn) -> str:
    """A list that is long enough to be read in bulk."""
    numbers = draw(st.lists(NUMBERS, min_size=1, max_size=4))
    return f"[{','.join(numbers * (1 + bulk.FEW))}]"


LISTS = nested() | flat()


@st.composite
def spiced(draw: st.DrawFn) -> str:
    """Such a list with something in it that may not belong there, or without something that does."""
    written = draw(LISTS)
    place = draw(st.integers(0, len(written)))
    end = place + draw(st.sampled_from([0, 0, 1, 2]))
    return written[:place] + draw(SPICES | st.just("") | st.sampled_from("[],.-e0 ")) + written[end:]


BODIES = st.builds(
    "{}{{{}{}:{}}}{}".format,
    st.sampled_from(["", " ", "\n", "\ufeff"]),
    st.sampled_from(
        ["", '"id":"a",', '"data":[1,2],', '"data\\u0000":[[7]],', '"[":1,', '"l":["a",{"b":[1,2]}],']
    ),
    st.sampled_from(['"data"', '"d\\u0061ta"']),
    LISTS | spiced(),
    st.sampled_from(["", " ", "\n", "x", "}", ",{}"]),
)


@given(BODIES, st.sampled_from(DATATYPES))
def test_what_is_read_in_bulk_is_what_the_careful_reader_finds(written: str, datatype: Datatype) -> None:
    body = written.encode()
    try:
        quick = bulk.loads(body)
    except NotBulk:
        return
    careful = loads(body)
    assert_same(quick, careful)
    try:
        found = array_of(quick["data"], datatype)
    except (NotBulk, BadRequest):
        return
    wanted = array_of(careful["data"], datatype)
    assert (found.dtype, found.shape, found.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())


def assert_same(quick: Any, careful: Any) -> None:
    """The same values of the same types, but for numbers, of which some are in arrays."""
    if isinstance(quick, np.ndarray):
        assert quick.tolist() == np.array(careful, quick.dtype).tolist()
        assert quick.shape == np.array(careful).shape
    elif isinstance(quick, dict):
        assert list(quick) == list(careful)
        for name, value in quick.items():
            assert_same(value, careful[name])
    elif isinstance(quick, list):
        assert len(quick) == len(careful)
        for one, other in zip(quick, careful, strict=True):
            assert_same(one, other)
    else:
        assert (type(quick), quick) == (type(careful), careful)


@given(BODIES, st.sampled_from(DATATYPES))
def test_a_request_means_the_same_in_bulk_and_with_care(written: str, datatype: Datatype) -> None:
    body = written.encode().ljust(bulk.SIZES.start)
    signature = Signature((TensorSpec("x", datatype, None),), (), ())

    def meaning(document: dict[str, Any]) -> Array:
        return array_of(document["data"], datatype)

    assert outcome(lambda: understood(body, signature, meaning)) == outcome(lambda: meaning(loads(body)))


def outcome(read: Callable[[], Array]) -> object:
    """What makes two arrays the same, or the sentence that refuses to make one."""
    try:
        array = read()
    except BadRequest as error:
        return str(error)
    return array.dtype, array.shape, array.tolist() if array.dtype.kind == "O" else array.tobytes()


@pytest.mark.parametrize("datatype", [datatype for datatype in DATATYPES if not datatype.is_text], ids=str)
@pytest.mark.parametrize("shape", [(100,), (1, 100), (50, 2), (1, 3, 8, 8), (2, 1, 1, 1, 2)])
def test_regular_lists_of_every_datatype_are_read_in_bulk(datatype: Datatype, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(datatype.dtype)
    body = orjson.dumps({"id": "7", "data": array}, option=orjson.OPT_SERIALIZE_NUMPY)
    if datatype.name == "BOOL":
        body = orjson.dumps({"data": array.astype(np.uint8)}, option=orjson.OPT_SERIALIZE_NUMPY)
    found = bulk.cast(bulk.loads(body)["data"], datatype)
    assert found.dtype == datatype.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    "data",
    [
        "[[1,2],[3,4,5],[6]]",
        "[[1,2],[1,[2]]]",
        "[[1,[2],[]],[4,5,6]]",
        "[[[1],[2]],[[3,4],[]]]",
        "[[],[]]",
        "[[1,2],3]",
        "[[1,2],[3,null]]",
        "[[1,2],[3,true]]",
        '[[1,2],[3,"4"]]',
        "[[1,2],[3,{}]]",
        "[1,[[5]]]",
    ],
)
def test_lists_that_are_no_regular_numbers_are_left_to_the_careful_reader(data: str) -> None:
    with pytest.raises(NotBulk):
        bulk.loads(b'{"data":%s}' % data.encode())


@pytest.mark.parametrize("names", [("data", "data"), ("data", "data\\u0000"), ("data\\u0000", "\\u0064ata")])
def test_members_whose_names_simdjson_cannot_tell_apart_are_left_to_the_careful_reader(
    names: tuple[str, str],
) -> None:
    with pytest.raises(NotBulk):
        bulk.loads(b'{"%s":1,"%s":2,"numbers":[[3]]}' % (names[0].encode(), names[1].encode()))


def test_more_lists_than_belong_in_memory_are_left_to_the_careful_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_LISTS", 3)
    assert bulk.loads(b'{"data":[[1],[2]]}')["data"].shape == (2, 1)
    with pytest.raises(NotBulk):
        bulk.loads(b'{"data":[[1],[2],[3]]}')


def test_brackets_in_texts_are_left_to_the_careful_reader() -> None:
    with pytest.raises(NotBulk):
        bulk.loads(b'{"[":[[1]]}')
    assert bulk.loads(b'{"]":[[1]]}') == {"]": [[1]]}


def test_a_whole_float_is_an_integer_as_long_as_floats_are_exact() -> None:
    document = bulk.loads(b'{"in":[[1.0,9007199254740992]],"beyond":[[1.0,9007199254740993]]}')
    assert bulk.cast(document["in"], BY_NAME["INT64"]).tolist() == [[1, 2**53]]
    with pytest.raises(NotBulk):
        bulk.cast(bulk.loads(b'{"data":[[1.0,9007199254740994]]}')["data"], BY_NAME["INT64"])


def test_integers_beyond_the_exact_floats_stay_exact() -> None:
    document = bulk.loads(b'{"signed":[[9223372036854775807,-1]],"unsigned":[[1,18446744073709551615]]}')
    assert document["signed"].tolist() == [[2**63 - 1, -1]]
    assert document["unsigned"].tolist() == [[1, 2**64 - 1]]


def test_a_parser_serves_one_body_after_another_and_none_after_a_large_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "_idle", [])
    first, second = bulk.loads(b'{"data":[[1]]}'), bulk.loads(b'{"data":[[2]]}')
    assert len(bulk._idle) == 1
    assert (first["data"].tolist(), second["data"].tolist()) == ([[1]], [[2]])
    monkeypatch.setattr(bulk, "KEPT_BYTES", 10)
    bulk.loads(b'{"data":[[3]]}')
    assert not bulk._idle


@pytest.mark.parametrize("body", ['{"data":[[1', '{"data":[["a"]]}', '{"data":[["[",1]]}'])
def test_a_body_that_is_refused_does_no_harm_to_the_next_one(body: str) -> None:
    with pytest.raises(NotBulk):
        bulk.loads(body.encode())
    assert bulk.loads(b'{"data":[[1]]}')["data"].tolist() == [[1]]
