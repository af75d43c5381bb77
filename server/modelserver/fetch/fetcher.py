"""Fetching a model: find its files, copy what is missing, verify all of it, publish."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelserver.fetch.errors import ChecksumMismatch, ModelChanged, StorageError, StorageUnreachable, VolumeFull
from modelserver.fetch.listing import is_listed
from modelserver.fetch.volume import StoredFile, Volume, blocks, manifest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from modelserver.fetch.errors import FetchError
    from modelserver.fetch.source import Found, RemoteFile, Source
    from modelserver.fetch.volume import Manifest

log = logging.getLogger(__name__)

TRANSIENT = (StorageUnreachable, StorageError)
# Long enough for a hiccup; a longer outage is for the kubelet to wait out, and for people to see.
PATIENCE_S = 10.0
FIRST_PAUSE_S = 0.2
REPORT_EVERY_S = 10.0
# Enough for the disk to work steadily, and little to wait for at the end.
SYNC_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model by its URI, and what it has to be: `sha256` is that of its content, `listing` that of its files."""

    uri: str
    sha256: str | None
    listing: str | None


def fetch(source: Callable[[], Source], wanted: Wanted, folder: Path) -> Manifest:
    """Makes `folder` the model that is wanted and returns its manifest. What is there already, complete and
    verified, is left alone: storage is not even asked, and `source` not opened.

    Raises FetchError; whatever had arrived by then is continued by the next call.
    """
    volume = Volume(folder)
    with _disk_errors(folder):
        manifest = volume.published(wanted.uri, wanted.listing)
        if manifest and wanted.sha256 in (None, manifest.sha256):
            return manifest
        return _fetch(source(), wanted, volume)


def _fetch(source: Source, wanted: Wanted, volume: Volume) -> Manifest:
    found = _find(source)
    _check_listing(found, wanted)
    log.info("fetching", extra={"uri": wanted.uri, "files": len(found.files), "bytes": found.size})
    volume.pin(found.files)
    stored = [_copy(source, file, volume.staged(file.path)) for file in found.files]
    manifest = manifest_of(wanted.uri, stored, is_folder=found.is_folder, listing=wanted.listing)
    if wanted.sha256 not in (None, manifest.sha256):
        volume.discard()
        raise ChecksumMismatch(
            f"the sha256 of {wanted.uri} is {manifest.sha256}, but {wanted.sha256} was expected"
        )
    volume.publish(manifest)
    return manifest


def _check_listing(found: Found, wanted: Wanted) -> None:
    if wanted.listing and not is_listed(found.files, wanted.listing):
        raise ModelChanged(
            f"the files of {wanted.uri} are not those that were resolved: "
            "they were overwritten, deleted or added to since"
        )


def _find(source: Source) -> Found:
    patience = _Patience()
    while True:
        try:
            return source.find()
        except TRANSIENT as error:
            patience.spend(error)


def _copy(source: Source, file: RemoteFile, path: Path) -> StoredFile:
    """Appends to `path` what it lacks of `file`."""
    digest = hashlib.sha256()
    for block in blocks(path):
        digest.update(block)
    with path.open("ab") as staged:
        _append(staged, _told(_pieces(source, file, staged.tell()), file, staged.tell()), digest.update)
        size = staged.tell()
        os.fsync(staged.fileno())
    if size != file.size:
        path.unlink()
        raise StorageError(f"storage gave {size} bytes of {file.path}, which has {file.size}")
    return StoredFile(file.path, size, digest.hexdigest())


def _append(staged: BinaryIO, pieces: Iterable[bytes], hash_: Callable[[bytes], None]) -> None:
    """Writes and hashes each piece. What is written is brought to the disk while the next ones arrive."""
    with ThreadPoolExecutor(1) as disk:
        synced = disk.submit(os.fdatasync, staged.fileno())
        sync_at = staged.tell() + SYNC_BYTES
        for piece in pieces:
            staged.write(piece)
            staged.flush()  # what has arrived is not to be fetched again, however this process ends
            hash_(piece)
            if staged.tell() >= sync_at:
                synced.result()
                synced = disk.submit(os.fdatasync, staged.fileno())
                sync_at = staged.tell() + SYNC_BYTES
        synced.result()


def _told(pieces: Iterable[bytes], file: RemoteFile, size: int) -> Iterator[bytes]:
    """The pieces, with a line in the log from time to time."""
    reported = time.monotonic()
    for piece in pieces:
        yield piece
        size += len(piece)
        if time.monotonic() > reported + REPORT_EVERY_S:
            reported = time.monotonic()
            log.info("fetching", extra={"file": file.path, "bytes": size, "of": file.size})


def _pieces(source: Source, file: RemoteFile, offset: int) -> Iterator[bytes]:
    """The rest of `file`, through any number of interruptions, as long as each is short."""
    patience = _Patience()
    while offset < file.size:
        try:
            for piece in source.read(file, offset):
                patience = _Patience()
                offset += len(piece)
                yield piece
            return
        except TRANSIENT as error:
            patience.spend(error)


class _Patience:
    """Pauses between attempts, ever longer ones, until it is used up."""

    def __init__(self) -> None:
        self._end = time.monotonic() + PATIENCE_S
        self._pause_s = FIRST_PAUSE_S

    def spend(self, error: FetchError) -> None:
        """Waits a little. Raises `error` when that would be too long in all."""
        if time.monotonic() + self._pause_s > self._end:
            raise error
        log.warning("trying again: %s", error, extra={"reason": error.reason})
        time.sleep(self._pause_s)
        self._pause_s *= 2


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise VolumeFull(f"the volume of {folder} has no space left for the model") from None
        raise StorageError(f"the volume of {folder} cannot be used: {error.strerror}") from error
