"""The checksum of a folder is what sha256sum prints for it."""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelserver.fetch.volume import StoredFile, manifest_of

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
