"""A real Azurite, and blobs in it."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from azure.storage.blob import BlobBlock, BlobServiceClient, ContentSettings, PublicAccess, generate_container_sas

from local import storage
from tests.support.ports import free_port
from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT, SECOND_ACCOUNT = "demo", "demo2"
BLOCK = base64.b64encode(b"only").decode()
KEY = base64.b64encode(b"a key that guards nothing but the test's own blobs").decode()


@dataclass(frozen=True)
class Azurite:
    """A running storage account; `replace` its name for the other one, which has the same key."""

    port: int
    is_encrypted: bool = False
    account: str = ACCOUNT

    def create_container(self, name: str, *, is_public: bool = False) -> None:
        """Makes an empty container; anybody may read a public one."""
        public = PublicAccess.CONTAINER if is_public else None
        self._service.create_container(name, public_access=public)

    def put(self, container: str, path: str, content: bytes, metadata: dict[str, str] | None = None) -> None:
        """Writes one blob."""
        blob = self._service.get_blob_client(container, path)
        blob.upload_blob(content, overwrite=True, metadata=metadata)

    def put_in_blocks(self, container: str, path: str, content: bytes, md5: bytes | None = None) -> None:
        """Writes one blob as large ones are written: it has no MD5 but what its writer says, true or not."""
        blob = self._service.get_blob_client(container, path)
        blob.stage_block(BLOCK, content)
        said = ContentSettings(content_md5=bytearray(md5) if md5 else None)
        blob.commit_block_list([BlobBlock(BLOCK)], content_settings=said)

    def blobs(self, container: str) -> dict[str, bytes]:
        """The content of every blob, by its path."""
        client = self._service.get_container_client(container)
        return {blob.name: client.download_blob(blob.name).readall() for blob in client.list_blobs()}

    def delete(self, container: str, path: str) -> None:
        """Deletes one blob."""
        self._service.get_blob_client(container, path).delete_blob()

    def sas(
        self, container: str, permissions: str = "rl", valid_for: timedelta = timedelta(hours=1), account: str = ""
    ) -> str:
        """A SAS token for the container, in another account if one is given."""
        expiry = datetime.now(UTC) + valid_for
        return generate_container_sas(
            account or self.account, container, KEY, permission=permissions, expiry=expiry
        )

    @cached_property
    def _service(self) -> BlobServiceClient:
        # The certificate names the host that clients use, not this address.
        url = f"{'https' if self.is_encrypted else 'http'}://127.0.0.1:{self.port}/{self.account}"
        return BlobServiceClient(url, credential=KEY, connection_verify=False)


@contextmanager
def running(folder: Path, certificate: Path | None = None, key: Path | None = None) -> Iterator[Azurite]:
    """An Azurite that keeps its blobs in `folder`, ended when the block ends.

    With a certificate it speaks https, and takes tokens of Microsoft Entra ID, even unsigned ones.
    """
    port = free_port()
    command = ["node", str(storage.program()), "--blobPort", str(port), "--location", str(folder)]
    flags = ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    if certificate:
        flags += ["--cert", str(certificate), "--key", str(key), "--oauth", "basic"]
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY};{SECOND_ACCOUNT}:{KEY}"}
    with subprocess.Popen([*command, *flags], env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _answers(port), seconds=60)
            yield Azurite(port, is_encrypted=certificate is not None)
        finally:
            process.kill()  # a polite end would wait for every connection


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
