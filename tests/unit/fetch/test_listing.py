"""A listing is one hash of all files: paths, sizes and ETags, or none of the last."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserver.fetch.listing import is_listed, listing_of
from modelserver.fetch.source import RemoteFile


def file(path: str, size: int = 1, etag: str | None = '"0x8DC"') -> RemoteFile:
    return RemoteFile(f"claims/3/{path}", path, size, etag)


MODEL = [
    file("weights/a b.bin", 7, '"0x8DD"'),
    file("model.onnx", 4096),
    file("\uffee.txt"),
    file("\U0001d11e.txt"),
]
FILES = st.lists(
    st.builds(file, st.text(min_size=1), st.integers(0), st.none() | st.text("0123456789ABCDEFx", min_size=1)),
    unique_by=lambda found: found.path,
)


def test_it_is_the_sha256_of_a_line_for_each_file_sorted_by_the_bytes_of_the_path() -> None:
    """In UTF-16, the last two would change places."""
    text = (
        "0x8DC 4096 model.onnx\n"
        "0x8DD 7 weights/a b.bin\n"
        "0x8DC 1 \uffee.txt\n"
        "0x8DC 1 \U0001d11e.txt\n"
    )  # fmt: skip
    assert listing_of(MODEL) == hashlib.sha256(text.encode()).hexdigest()


def test_it_is_the_same_for_ever() -> None:
    """What sha256sum prints for two lines; statuses hold such hashes."""
    pinned, loose = listing_of(MODEL[:2]), listing_of(MODEL[:2], with_etags=False)
    assert pinned == "fcfdf2f755252e77f6c10bcdc94d8ad280d0e3bb457696428515d1d2e7abb060"
    assert loose == "5d9918ff26f01bf5a48860a1a2f0c7207d35a91e736b9ee48cd12ea48423130a"


def test_without_etags_there_is_a_dash_for_each() -> None:
    text = "- 4096 model.onnx\n- 7 weights/a b.bin\n"
    files = [file("model.onnx", 4096), file("weights/a b.bin", 7)]
    assert listing_of(files, with_etags=False) == hashlib.sha256(text.encode()).hexdigest()


def test_empty_files_do_not_count() -> None:
    """Some stand for folders, and storage shows them to one client and not to another."""
    assert listing_of([*MODEL, file("folder", 0)]) == listing_of(MODEL)


def test_a_file_that_has_no_etag_has_a_dash() -> None:
    assert listing_of([file("model.onnx", etag=None)]) == listing_of([file("model.onnx")], with_etags=False)


@given(FILES.flatmap(lambda files: st.tuples(st.just(files), st.permutations(files))))
def test_the_order_of_the_files_does_not_matter(both: tuple[list[RemoteFile], list[RemoteFile]]) -> None:
    files, shuffled = both
    assert listing_of(files) == listing_of(shuffled)


def test_files_are_of_their_listing_in_either_form() -> None:
    assert is_listed(MODEL, listing_of(MODEL))
    assert is_listed(MODEL, listing_of(MODEL, with_etags=False))


@pytest.mark.parametrize(
    "others",
    [
        MODEL[1:],
        [*MODEL, file("added.bin")],
        [file("weights/a b.bin", 1, '"0x8DD"'), *MODEL[1:]],
        [file("weights/b.bin", 7, '"0x8DD"'), *MODEL[1:]],
    ],
    ids=["deleted", "added", "of another size", "renamed"],
)
def test_other_files_are_not_of_the_listing_in_any_form(others: list[RemoteFile]) -> None:
    assert not is_listed(others, listing_of(MODEL))
    assert not is_listed(others, listing_of(MODEL, with_etags=False))


def test_an_overwritten_file_is_of_the_listing_without_etags_only() -> None:
    overwritten = [file("weights/a b.bin", 7, '"0x8DE"'), *MODEL[1:]]
    assert not is_listed(overwritten, listing_of(MODEL))
    assert is_listed(overwritten, listing_of(MODEL, with_etags=False))
