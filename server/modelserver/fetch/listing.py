"""Which files a model consisted of when it was resolved, as one hash: made once, and compared by every pod."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelserver.fetch.source import RemoteFile


def listing_of(files: Iterable[RemoteFile], *, with_etags: bool = True) -> str:
    """The sha256, in hexadecimal digits, of the UTF-8 text that has this line for each file that is not empty:

        ETAG SIZE PATH\\n

    Lines are sorted by the UTF-8 bytes of PATH, which is the path below the model's folder; for a model that is a
    single file, its name. SIZE is in bytes. ETAG has no double quotes; without `with_etags` it is `-`, for places
    whose replicas have ETags of their own. Empty files may stand for folders, of which storage tells different
    clients different things. The operator computes the very same.
    """
    ordered = sorted((file for file in files if file.size), key=lambda file: file.path.encode())
    lines = (f"{_bare(file.etag if with_etags else None)} {file.size} {file.path}\n" for file in ordered)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def is_listed(files: Iterable[RemoteFile], listing: str) -> bool:
    """Whether `listing` is that of `files`, with their ETags or without."""
    files = tuple(files)
    return listing in (listing_of(files), listing_of(files, with_etags=False))


def _bare(etag: str | None) -> str:
    return etag.strip('"') if etag else "-"
