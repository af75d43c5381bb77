"""Uploads a folder to Azure Blob storage: ``python -m samples.upload DIR CONTAINER``.

The storage is named by the environment variable AZURE_STORAGE_CONNECTION_STRING, as for the Azure CLI.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient, PublicAccess


def upload(connection_string: str, folder: Path, container: str, *, public: bool = True) -> int:
    """Copy every file below the folder into a container, which anybody may read if public; return their number."""
    with BlobServiceClient.from_connection_string(connection_string) as service:
        target = service.get_container_client(container)
        with suppress(ResourceExistsError):  # a second run writes the same files again
            target.create_container(public_access=PublicAccess.CONTAINER if public else None)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        for path in files:
            target.upload_blob(path.relative_to(folder).as_posix(), path.read_bytes(), overwrite=True)
    return len(files)


if __name__ == "__main__":
    count = upload(os.environ["AZURE_STORAGE_CONNECTION_STRING"], Path(sys.argv[1]), sys.argv[2])
    print(f"{count} files uploaded to the container {sys.argv[2]}")
