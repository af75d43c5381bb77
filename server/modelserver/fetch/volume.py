"""The volume: a model is staged beside its place, and appears there all at once.

DIR                     the model's files, once they are complete and verified
DIR/../.NAME.fetch/
    pins.json           the versions (ETag, size) that the staged files are, or will be, a copy of
    files/              what has arrived so far; becomes DIR
    manifest.json       what DIR consists of, with checksums; written before DIR appears
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from modelserver.fetch.source import RemoteFile

BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a finished model, by its path below the model's folder."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a finished model consists of. `listing` is the one that it was fetched for, if any.

    `sha256` is the checksum of its only file, or, for a folder, of the text that this prints there:
        find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum
    """

    uri: str
    sha256: str
    files: tuple[StoredFile, ...]
    listing: str | None = None

    @property
    def size(self) -> int:
        """Bytes in all files."""
        return sum(file.size for file in self.files)


def manifest_of(uri: str, files: Iterable[StoredFile], *, is_folder: bool, listing: str | None = None) -> Manifest:
    """The manifest of a model that consists of `files`."""
    ordered = tuple(sorted(files, key=lambda file: file.path.encode()))
    if not is_folder:
        return Manifest(uri, ordered[0].sha256, ordered, listing)
    lines = "".join(f"{file.sha256}  {file.path}\n" for file in ordered)
    return Manifest(uri, hashlib.sha256(lines.encode()).hexdigest(), ordered, listing)


class Volume:
    """The place of one model, and what is staged for it. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = folder.parent / f".{folder.name}.fetch"
        self._files = self._state / "files"

    def published(self, uri: str, listing: str | None) -> Manifest | None:
        """The manifest of the model from `uri`, if it is here, was fetched for `listing` (None: for whichever),
        and every byte of it is still what it was.
        """
        manifest = self._manifest()
        if not manifest or manifest.uri != uri or listing not in (None, manifest.listing):
            return None
        intact = all(_is_intact(self._folder / file.path, file) for file in manifest.files)
        return manifest if intact else None

    def pin(self, files: Iterable[RemoteFile]) -> None:
        """Keeps of what was staged before only what is a part of these versions."""
        before = self._read_json("pins.json") or {}
        now = {file.path: {"etag": file.etag, "size": file.size} for file in files}
        for path in self._staged():
            # Without an ETag nothing tells whether the rest would still fit the beginning.
            if path not in now or now[path] != before.get(path) or not now[path]["etag"]:
                (self._files / path).unlink()
        self._write_json("pins.json", now)

    def staged(self, path: str) -> Path:
        """Where the bytes of the file `path` are to be appended."""
        staged = self._files / path
        staged.parent.mkdir(parents=True, exist_ok=True)
        return staged

    def publish(self, manifest: Manifest) -> None:
        """Makes the staged files the model, at once; a model that was there before is gone."""
        for folder in {(self._files / file.path).parent for file in manifest.files}:
            _sync(folder)
        self._write_json("manifest.json", asdict(manifest))
        if self._folder.exists():
            shutil.rmtree(self._folder)
        self._files.rename(self._folder)
        _sync(self._folder.parent)

    def discard(self) -> None:
        """Drops what is staged."""
        shutil.rmtree(self._files, ignore_errors=True)

    def _staged(self) -> list[str]:
        return [str(file.relative_to(self._files)) for file in self._files.rglob("*") if not file.is_dir()]

    def _manifest(self) -> Manifest | None:
        found = self._read_json("manifest.json")
        if not found:
            return None
        files = tuple(StoredFile(**file) for file in found["files"])
        return Manifest(found["uri"], found["sha256"], files, found.get("listing"))  # older ones have no listing

    def _read_json(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = orjson.loads((self._state / name).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return None
        return found

    def _write_json(self, name: str, value: object) -> None:
        self._state.mkdir(parents=True, exist_ok=True)
        partial = self._state / f"{name}.partial"
        with partial.open("wb") as file:
            file.write(orjson.dumps(value))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._state / name)
        _sync(self._state)


def blocks(path: Path) -> Iterator[bytes]:
    """The content of the file, piece by piece; nothing where there is none."""
    if not path.exists():
        return
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def _is_intact(path: Path, file: StoredFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    digest = hashlib.sha256()
    for block in blocks(path):
        digest.update(block)
    return digest.hexdigest() == file.sha256


def _sync(folder: Path) -> None:
    """Makes the names in `folder` survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
