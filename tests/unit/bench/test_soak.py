"""The soak sends whole requests, and complains about what is wrong."""

from pathlib import Path

from bench.serving.exchanges import Exchange
from bench.soak import Sample, complaints, raw, told, written

FLAT = [Sample(1, 10, 80.0, 20, 5), Sample(2, 20, 85.0, 20, 5), Sample(3, 30, 85.5, 20, 5)]


def exchange(body: bytes) -> Exchange:
    return Exchange("/score", {"Content-Type": "application/json"}, body, lambda *_: NotImplemented)


def test_a_request_goes_over_the_wire_with_its_length() -> None:
    head, _, body = raw(exchange(b"{}")).partition(b"\r\n\r\n")
    assert head.splitlines() == [
        b"POST /score HTTP/1.1",
        b"Host: soak",
        b"Content-Length: 2",
        b"Content-Type: application/json",
    ]
    assert body == b"{}"


def test_a_request_that_comes_often_is_one_file_that_is_listed_often(tmp_path: Path) -> None:
    names = written([b"a", b"b", b"a"], tmp_path).read_text().splitlines()
    assert [Path(name).read_bytes() for name in names] == [b"a", b"b", b"a"]
    assert len(set(names)) == 2


def test_flat_memory_and_no_failures_are_nothing_to_complain_about() -> None:
    assert complaints(FLAT, {"200": 30, "404": 3}, 0) == []


def test_failures_of_the_server_and_missing_answers_are_named() -> None:
    assert complaints(FLAT, {"200": 30, "500": 3}, 2) == ["3 answers were 500", "2 requests had no answer"]


def test_growth_in_the_second_half_is_named() -> None:
    (complaint,) = complaints([*FLAT[:2], Sample(3, 30, 95.0, 20, 5)], {}, 0)
    assert "memory grew from 85.0 to 95.0 MB" in complaint


def test_files_or_threads_that_stay_are_named() -> None:
    assert complaints([*FLAT[:2], Sample(3, 30, 85.0, 500, 5)], {}, 0)
    assert complaints([*FLAT[:2], Sample(3, 30, 85.0, 20, 6)], {}, 0)


def test_the_summary_has_start_middle_and_end() -> None:
    assert "RSS at the start 80.0 MB, in the middle 85.0, at the end 85.5." in told(FLAT)
