"""The manifest: the checksum of a folder is what sha256sum prints for it, and what is published is known by it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelserver.fetch.volume import StoredFile, Volume, manifest_of

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\\\n\r\0"), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 100
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, st.binary(max_size=10), min_size=1, max_size=5))
def test_it_is_the_sum_of_the_lines_sorted_by_path(tmp_path: Path, contents: dict[str, bytes]) -> None:
    folder = tmp_path / hashlib.sha256(repr(contents).encode()).hexdigest()
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    files = [StoredFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items()]
    command = "find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum -- | sha256sum"
    printed = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert manifest_of("uri", files, is_folder=True).sha256 == printed.split()[0]


def test_a_single_file_has_its_own() -> None:
    file = StoredFile("model.onnx", 1, "ab" * 32)
    assert manifest_of("uri", [file], is_folder=False).sha256 == file.sha256


def published(folder: Path, listing: str | None) -> Volume:
    """A volume with a model that was fetched for the listing."""
    volume = Volume(folder / "model")
    volume.staged("model.onnx").write_bytes(b"content")
    file = StoredFile("model.onnx", 7, hashlib.sha256(b"content").hexdigest())
    volume.publish(manifest_of("uri", [file], is_folder=True, listing=listing))
    return volume


@pytest.mark.parametrize(
    ("fetched_for", "wanted", "is_it"),
    [
        (None, None, True),
        ("ab" * 32, "ab" * 32, True),
        ("ab" * 32, None, True),
        ("ab" * 32, "cd" * 32, False),
        (None, "cd" * 32, False),
    ],
)
def test_what_is_published_is_the_model_when_it_was_fetched_for_the_wanted_listing(
    tmp_path: Path, fetched_for: str | None, wanted: str | None, is_it: bool
) -> None:
    found = published(tmp_path, fetched_for).published("uri", wanted)
    assert (found is not None) == is_it
    assert found is None or found.listing == fetched_for


def test_a_manifest_from_before_there_were_listings_is_still_read(tmp_path: Path) -> None:
    volume = published(tmp_path, None)
    manifest = tmp_path / ".model.fetch" / "manifest.json"
    older = json.loads(manifest.read_text())
    del older["listing"]
    manifest.write_text(json.dumps(older))
    assert volume.published("uri", None)
    assert volume.published("uri", "ab" * 32) is None
