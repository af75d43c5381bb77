"""A real Azurite, and blobs in it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx

from local import storage
from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ACCOUNT = "demo"
KEY = base64.b64encode(b"a key that guards nothing but the test's own blobs").decode()
API = "2023-11-03"


@dataclass(frozen=True)
class Azurite:
    """A running storage account called `demo`."""

    port: int
    certificate: Path | None = None

    def create_container(self, name: str, *, is_public: bool = False) -> None:
        """Makes an empty container; anybody may read a public one."""
        public = {"x-ms-blob-public-access": "container"} if is_public else {}
        self._send("PUT", f"/{name}", {"restype": "container"}, public)

    def put(self, container: str, path: str, content: bytes, metadata: Mapping[str, str] | None = None) -> None:
        """Writes one blob."""
        headers = {"x-ms-blob-type": "BlockBlob"} | {f"x-ms-meta-{k}": v for k, v in (metadata or {}).items()}
        self._send("PUT", f"/{container}/{path}", {}, headers, content)

    def delete(self, container: str, path: str) -> None:
        """Deletes one blob."""
        self._send("DELETE", f"/{container}/{path}", {}, {})

    def sas(self, container: str, permissions: str = "rl", valid_for: timedelta = timedelta(hours=1)) -> str:
        """A SAS token for the container."""
        expiry = (datetime.now(UTC) + valid_for).strftime("%Y-%m-%dT%H:%M:%SZ")
        resource = f"/blob/{ACCOUNT}/{container}"
        fields = [permissions, "", expiry, resource, "", "", "", API, "c", *[""] * 7]
        query = {"sv": API, "sr": "c", "sp": permissions, "se": expiry, "sig": _signature("\n".join(fields))}
        return urlencode(query)

    def _send(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], content: bytes = b""
    ) -> None:
        headers["x-ms-date"] = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers["x-ms-version"] = API
        ours = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
        resource = f"/{ACCOUNT}{path}" + "".join(f"\n{name}:{value}" for name, value in sorted(query.items()))
        length = str(len(content)) if content else ""
        text = "\n".join([method, "", "", length, *[""] * 8, ours + resource])
        headers |= {"Authorization": f"SharedKey {ACCOUNT}:{_signature(text)}", "Host": f"{ACCOUNT}.blob.test"}
        url = f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}{path}"
        with httpx.Client(trust_env=False, timeout=30, verify=False) as client:
            client.request(method, url, params=query, headers=headers, content=content).raise_for_status()


@contextmanager
def running(folder: Path, *, tls: bool = False) -> Iterator[Azurite]:
    """An Azurite that keeps its blobs in `folder`, ended when the block ends.

    With `tls` it speaks https, as demo.blob.test, and takes tokens of Microsoft Entra ID, even unsigned ones.
    """
    port = _free_port()
    certificate = _certificate(folder) if tls else None
    command = ["node", str(storage.program()), "--blobPort", str(port), "--location", str(folder)]
    flags = ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    if certificate:
        flags += ["--cert", str(certificate), "--key", str(certificate.with_suffix(".key")), "--oauth", "basic"]
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    with subprocess.Popen([*command, *flags], env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _answers(port), seconds=60)
            yield Azurite(port, certificate)
        finally:
            process.kill()  # a polite end would wait for every connection


def _signature(text: str) -> str:
    return base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)).decode()


def _certificate(folder: Path) -> Path:
    path = folder / "storage.crt"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    extensions = [f"subjectAltName=DNS:{ACCOUNT}.blob.test", "basicConstraints=critical,CA:FALSE"]
    command += ["-subj", "/CN=storage", "-days", "1", *(flag for each in extensions for flag in ("-addext", each))]
    subprocess.run([*command, "-keyout", path.with_suffix(".key"), "-out", path], check=True, capture_output=True)
    return path


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port
