"""What of a request reaches run(): where Azure ML's server is the measure, tests/clients compares with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelserver.handlers.frames import Frame
from modelserver.handlers.worker.request import Refused, Request, arguments
from modelserver.handlers.worker.script import Script
from tests.support.handlers import forget_schemas

if TYPE_CHECKING:
    from pathlib import Path

JSON = ("content-type", "application/json")


@pytest.fixture(autouse=True)
def _one_script_at_a_time() -> None:
    forget_schemas()


def request(body: bytes = b"", *headers: tuple[str, str], method: str = "POST", target: str = "/score") -> Request:
    return Request.of(Frame({"method": method, "target": target, "headers": headers}, [memoryview(body)]))


@pytest.fixture
def plain(tmp_path: Path) -> Script:
    path = tmp_path / "score.py"
    path.write_text("def init(): pass\ndef run(text, request_headers): pass")
    return Script(path)


@pytest.fixture
def typed(tmp_path: Path) -> Script:
    path = tmp_path / "score.py"
    path.write_text(
        "from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType\n"
        "from inference_schema.schema_decorators import input_schema\n"
        "def init(): pass\n"
        "@input_schema('count', StandardPythonParameterType(1))\n"
        "def run(count): pass"
    )
    return Script(path)


def test_a_form_arrives_as_text(plain: Script) -> None:
    form = request(b"a=1", ("content-type", "application/x-www-form-urlencoded"))
    assert arguments(plain, form)["text"] == "a=1"


def test_headers_are_titled_and_those_that_could_be_mistaken_for_others_left_out(plain: Script) -> None:
    found = arguments(plain, request(b"", ("x-user-id", "me"), ("x_user_id", "somebody else")))
    assert found["request_headers"] == {"X-User-Id": "me"}


def test_the_length_is_that_of_the_body_that_run_sees(plain: Script) -> None:
    found = arguments(plain, request(b"decompressed", ("content-length", "5")))
    assert found["request_headers"] == {"Content-Length": "12"}


@pytest.mark.parametrize("body", [b"\xff", b'{"count": "\xff"}', b"[" * 100_000])
def test_a_body_that_cannot_be_read_is_the_clients_mistake(typed: Script, body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        arguments(typed, request(body, JSON))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("query", "value"),
    [("1", 1), ("01", "01"), ("[1", "[1"), ("%C3%BC", "ü"), ("Ã¼", "ü"), ("%FF", "�"), ("9" * 5000, "9" * 5000)],
)
def test_a_query_is_json_where_it_can_be(typed: Script, query: str, value: Any) -> None:
    assert arguments(typed, request(method="GET", target=f"/score?count={query}")) == {"count": value}
