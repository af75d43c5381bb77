"""Writing blobs with the fetcher's ways to open storage."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from modelserver.fetch import credentials
from modelserver.fetch.errors import FetchError
from modelserver.fetch.source import CLIENT, cause, open_store

if TYPE_CHECKING:
    from pathlib import Path

    from obstore.store import AzureStore, ClientConfig, HTTPStore, RetryConfig

    from modelserver.fetch.location import Location

QUICK: ClientConfig = {**CLIENT, "timeout": timedelta(seconds=30)}
RETRIES: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}


class Fails(Exception):
    """A blob could not be written; its text says why."""


def opened(location: Location, secret: Path | None) -> AzureStore | HTTPStore:
    """The storage at `location`, with the credential in `secret`, a folder, or else the pod's. Raises Fails."""
    try:
        return open_store(location, credentials.find(secret, os.environ), QUICK, RETRIES)
    except FetchError as error:
        raise Fails(str(error)) from None


def put(store: AzureStore | HTTPStore, name: str, content: bytes) -> None:
    """Writes a new blob. Raises Fails."""
    try:
        with suppress(AlreadyExistsError):  # an attempt arrived whose answer did not: the name is nobody else's
            obstore.put(store, name, content, mode="create")
    except (BaseError, OSError, ValueError) as error:
        raise Fails(cause(error)) from None
