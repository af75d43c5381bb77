"""JSON that is no request: it is refused with 400 and a sentence, whatever it holds."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.hostile.bodies import tensor
from tests.hostile.conftest import MAX_BODY, refused
from tests.hostile.wire import request, told

if TYPE_CHECKING:
    from tests.support.server_process import ServerProcess

DEEP = 100_000


def filled(element: str) -> bytes:
    """A request as large as is allowed, its data being one element over and over."""
    count = (MAX_BODY - 100) // (len(element) + 1)
    return tensor(f"[{','.join([element] * count)}]", f"[{count}]")


NUMBERS = {
    "NaN": "[NaN]",
    "Infinity": "[Infinity]",
    "-Infinity": "[-Infinity]",
    "1e400": "[1e400]",
    "-1e400": "[-1e400]",
    "1e39, beyond FP32": "[1e39]",
    "400 digits": f"[{'9' * 400}]",
    "100,000 digits": f"[{'9' * 100_000}]",
    "a leading zero": "[01]",
    "hexadecimal": "[0x10]",
    "no digits": "[-]",
    "an underscore": "[1_000]",
    "a string": '["1"]',
    "an object": "{}",
    "no data at all": "",
}

INTEGERS = {
    "2^63": "[9223372036854775808]",
    "-2^63 - 1": "[-9223372036854775809]",
    "1e400": "[1e400]",
    "a fraction": "[1.5]",
    "null": "[null]",
    "NaN": "[NaN]",
    "100,000 digits": f"[{'9' * 100_000}]",
}

DOCUMENTS = {
    "nothing": b"",
    "null": b"null",
    "a number": b"1",
    "a string": b'"x"',
    "a list": b"[]",
    "no inputs": b"{}",
    "inputs that are no list": b'{"inputs": {"x": 1}}',
    "inputs that are no objects": b'{"inputs": [1, null, "x"]}',
    "a name that is no string": b'{"inputs": [{"name": 1, "shape": [1], "datatype": "FP32", "data": [1]}]}',
    "an id that is no string": b'{"id": {"a": []}, "inputs": []}',
    "parameters that are no object": tensor("[1]")[:-1] + b', "parameters": [1]}',
    "outputs that are no objects": tensor("[1]")[:-1] + b', "outputs": [1]}',
    "text after the document": tensor("[1]") + b"x",
    "two documents": tensor("[1]") * 2,
    "half a document": tensor("[1]")[:40],
    "a comment": b"/* */" + tensor("[1]"),
    "an unknown literal": tensor("[nil]"),
    "invalid UTF-8": tensor("[1]")[:-1] + b', "id": "\xff\xfe"}',
    "a lone surrogate": tensor("[1]")[:-1] + b', "id": "\\ud800"}',
    "a surrogate as text": tensor('["\\ud800"]', datatype="BYTES"),
    "UTF-16": tensor("[1]").decode().encode("utf-16"),
    "a NUL": b"\0" + tensor("[1]"),
    "lists within lists, not closed": b"[" * DEEP,
    "lists within lists": tensor("[" * DEEP + "1" + "]" * DEEP),
    "900 lists within lists": tensor("[" * 900 + "1" + "]" * 900),
    "objects within objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "depth in a parameter": tensor("[1]")[:-1] + b',"parameters":{"p":' + b"[" * DEEP + b"]" * DEEP + b"}}",
}


@pytest.mark.parametrize("data", NUMBERS.values(), ids=NUMBERS)
def test_what_is_no_float_is_refused(server: ServerProcess, data: str) -> None:
    refused(server, tensor(data))


@pytest.mark.parametrize("data", INTEGERS.values(), ids=INTEGERS)
def test_what_is_no_integer_is_refused(server: ServerProcess, data: str) -> None:
    refused(server, tensor(data, datatype="INT64"), "echo_int64")


@pytest.mark.parametrize("body", DOCUMENTS.values(), ids=DOCUMENTS)
def test_what_is_no_request_is_refused(server: ServerProcess, body: bytes) -> None:
    refused(server, body, "text" if b"BYTES" in body else "echo")


MEANINGFUL = ("inputs that are no list", "an id that is no string")  # where `inputs` is another word for `data`


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name not in MEANINGFUL])
def test_score_refuses_it_in_its_own_words(server: ServerProcess, name: str) -> None:
    answer = told(server, request(DOCUMENTS[name], path="/score?model_name=echo"))
    assert answer
    assert answer.status == 400
    assert answer.json()["message"]


def test_minus_zero_keeps_its_sign_as_a_float(server: ServerProcess) -> None:
    for data in ("[-0.0]", "[-0e5]", "[-1e-400]"):
        answer = told(server, request(tensor(data)))
        assert answer
        assert (answer.status, str(answer.json()["outputs"][0]["data"])) == (200, "[-0.0]"), data


def test_of_two_members_with_one_name_the_last_counts(server: ServerProcess) -> None:
    answer = told(server, request(tensor("[1]")[:-3] + b',"data":[2]}]}'))
    assert answer
    assert answer.json()["outputs"][0]["data"] == [2]


@pytest.mark.parametrize("element", ["1", "1.5", "[]", "{}", '""', '"ab"', "null", "[[[[]]]]", "1e-300", "true"])
def test_memory_is_bounded_by_the_body_whatever_fills_it(server: ServerProcess, element: str) -> None:
    answer = told(server, request(filled(element)))
    assert answer
    assert answer.status in ((200,) if element in ("1", "1.5", "null", "1e-300", "true") else (400,))


COUNT = MAX_BODY // 20
MANY = {
    "keys": json.dumps({str(number): None for number in range(COUNT)}),
    "inputs": f'{{"inputs": [{",".join(["{}"] * COUNT)}]}}',
    "named inputs": f'{{"inputs": [{",".join(["{" + chr(34) + "name" + chr(34) + ":1}"] * COUNT)}]}}',
    "outputs": tensor("[1]").decode()[:-1] + f', "outputs": [{",".join(["{}"] * COUNT)}]}}',
    "parameters": tensor("[1]").decode()[:-1]
    + f', "parameters": {json.dumps(dict.fromkeys(map(str, range(COUNT))))}}}',
    "sizes": tensor("[1]", json.dumps([1] * COUNT)).decode(),
    "members of a tensor": tensor("[1]").decode()[:-3]
    + ","
    + ",".join(f'"{number}":1' for number in range(COUNT))
    + "}]}",
}


@pytest.mark.parametrize("body", MANY.values(), ids=MANY)
def test_what_there_are_too_many_of_is_answered_soon(server: ServerProcess, body: str) -> None:
    started = time.monotonic()
    answer = told(server, request(body.encode()))
    assert answer
    assert answer.status in (200, 400)
    assert time.monotonic() - started < 2
