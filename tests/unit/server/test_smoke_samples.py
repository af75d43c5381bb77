"""The folder of golden samples: what can be said in it, and how mistakes are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from modelserver.errors import SmokeInvalid
from modelserver.smoke.samples import MAX_BYTES, Sample, read

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "{request: {data: [1]}, response: {results: [2]}}"
JSON = {b"content-type": b"application/json"}


def write(folder: Path, name: str, content: str | bytes) -> None:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def only(folder: Path, name: str, content: str) -> Sample:
    write(folder, name, content)
    (sample,) = read(folder)
    return sample


def mistake(folder: Path) -> str:
    with pytest.raises(SmokeInvalid) as caught:
        read(folder)
    return str(caught.value)


def test_a_request_and_its_response_are_enough(tmp_path: Path) -> None:
    sample = only(tmp_path, "claims.yaml", GOOD)
    assert sample == Sample(b'{"data":[1]}', {"results": [2]}, "The sample of claims.yaml", "", JSON, 200, 0.001)


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    said = {
        "name": "unknown claim",
        "path": "/score?model_name=claims",
        "headers": {"X-Tenant": "a"},
        "request": "?",
        "response": {"message": "no"},
        "status": 400,
        "tolerance": 0,
    }
    assert only(tmp_path, "claims.json", orjson.dumps(said).decode()) == Sample(
        b'"?"',
        {"message": "no"},
        "The sample unknown claim of claims.json",
        "/score?model_name=claims",
        {**JSON, b"x-tenant": b"a"},
        400,
        0.0,
    )


def test_a_body_is_called_json_unless_its_headers_say_otherwise(tmp_path: Path) -> None:
    said = GOOD.replace("{req", "{headers: {Content-Type: text/plain}, req")
    assert only(tmp_path, "a.yaml", said).headers == {b"content-type": b"text/plain"}


def test_files_may_hold_several_and_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, "b.yml", GOOD)
    write(tmp_path, "a.yaml", f"[{GOOD}, {GOOD.replace('{req', '{name: second, req')}]")
    titles = [sample.title for sample in read(tmp_path)]
    assert titles == ["The sample [0] of a.yaml", "The sample second of a.yaml", "The sample of b.yml"]


def test_a_mounted_configmap_is_read_past_what_kubernetes_keeps_in_it(tmp_path: Path) -> None:
    (tmp_path / "..2025_01_31").mkdir()
    write(tmp_path / "..2025_01_31", "claims.yaml", GOOD)
    (tmp_path / "..data").symlink_to("..2025_01_31")
    (tmp_path / "claims.yaml").symlink_to("..data/claims.yaml")
    assert len(read(tmp_path)) == 1


def test_words_and_numbers_of_yaml_mean_what_they_mean_in_json(tmp_path: Path) -> None:
    values = "[1e-05, 9.5e-7, 2024-01-31, 12:30, no, 010, -0.5, 7, true, null, '7']"
    sample = only(tmp_path, "a.yaml", f"request: {values}\nresponse: {values}\n")
    expected = [1e-05, 9.5e-7, "2024-01-31", "12:30", "no", "010", -0.5, 7, True, None, "7"]
    assert (orjson.loads(sample.body), sample.response) == (expected, expected)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "it holds no sample; write a request and its response"),
        ("[]", "it holds no sample; write a request and its response"),
        ("- a", "[0] must be a mapping of names to values, not 'a'"),
        ("text", "the file must be a mapping of names to values, not 'text'"),
        ("response: {}", "request is missing"),
        (f"[{GOOD}, {{request: 1}}]", "[1].response is missing"),
        ("{request: 1, response: null}", "response is missing"),
        (
            "{request: 1, response: 1, expect: 1}",
            "there is no expect; there is name, path, headers, request, resp",
        ),
        ("{request: 1, response: 1, name: 7}", "name must be a text, not 7"),
        (f"{{request: 1, response: 1, name: {'a' * 101}}}", "name must be a text of at most 100 characters"),
        (
            "{request: 1, response: 1, path: score}",
            "path must be like /v2/models/NAME/infer or /score, not 'score'",
        ),
        ("{request: 1, response: 1, path: /é}", "path must be like /v2/models/NAME/infer or /score, not '/é'"),
        ("{request: 1, response: 1, headers: [a]}", "headers must be a mapping of names to values, not ['a']"),
        ("{request: 1, response: 1, headers: {a: 7}}", "headers.a must be a text, not 7"),
        ("{request: 1, response: 1, headers: {a: é}}", "headers.a must be a name and a text of printable ASCII"),
        ("{request: 1, response: 1, headers: {é: a}}", "headers.é must be a name and a text of printable ASCII"),
        (
            '{request: 1, response: 1, headers: {a: "b\\r"}}',
            "headers.a must be a name and a text of printable ASC",
        ),
        ("{request: 1, response: 1, status: 99}", "status must be a status of HTTP, like 200, not 99"),
        ("{request: 1, response: 1, status: true}", "status must be a status of HTTP, like 200, not True"),
        ("{request: 1, response: 1, tolerance: 2}", "tolerance must be a number from 0 to 1, not 2"),
        ("{request: 1, response: 1, tolerance: 1%}", "tolerance must be a number from 0 to 1, not '1%'"),
        ("{request: {1: 1}, response: 1}", "request must be what JSON can say: Dict key must be str"),
        (
            "{request: 1, response: !!binary aGVs}",
            "response must be what JSON can say: Type is not JSON serializable",
        ),
        ("{request: 1, request: 2, response: 1}", "this is not valid YAML: a key is given twice"),
        ("{request: &a [*a], response: 1}", "this is not valid YAML: an alias; write it out instead"),
        ("[" * 100_000, "this is not valid YAML: more than 100 levels"),
        ("request: [", "this is not valid YAML: "),
        (b"\xff\xfe\x00", "this is not valid YAML: "),
    ],
)
def test_a_mistake_is_told_with_its_file_and_place(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    write(tmp_path, "claims.yaml", text)
    assert f"The file of golden samples {tmp_path}/claims.yaml cannot be used: {sentence}" in mistake(tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "this is not valid JSON: Expecting value"),
        (
            '{"request": 1, "request": 2, "response": 1}',
            "this is not valid JSON: a key is given twice in an object with ",
        ),
        (b"\xff", "this is not valid JSON: "),
        ("[" * 100_000, "this is not valid JSON: "),
    ],
)
def test_json_is_read_as_strictly(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    write(tmp_path, "claims.json", text)
    assert f"claims.json cannot be used: {sentence}" in mistake(tmp_path)


def test_other_files_are_a_mistake(tmp_path: Path) -> None:
    write(tmp_path, "claims.yaml", GOOD)
    write(tmp_path, "claims.txt", GOOD)
    assert "claims.txt cannot be used: its name has to end in .json, .yaml, .yml" in mistake(tmp_path)


def test_a_folder_within_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").mkdir()
    assert "more.yaml cannot be used: it cannot be read: Is a directory" in mistake(tmp_path)


def test_a_file_that_no_configmap_could_hold_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", GOOD + " " * (MAX_BYTES - len(GOOD)))
    assert len(read(tmp_path)) == 1
    write(tmp_path, "a.yaml", GOOD + " " * (MAX_BYTES - len(GOOD) + 1))
    assert f"it is larger than {MAX_BYTES} bytes; take fewer or smaller samples" in mistake(tmp_path)


def test_a_folder_that_is_empty_or_not_there_is_a_mistake(tmp_path: Path) -> None:
    assert mistake(tmp_path).startswith(
        f"The folder of golden samples {tmp_path} is empty; put a file like claims"
    )
    missing = tmp_path / "missing"
    assert mistake(missing) == f"The folder of golden samples {missing} cannot be read: No such file or directory"
