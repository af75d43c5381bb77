"""All of it together: a control plane, a storage account, the proxy before them, and how a process finds it."""

from __future__ import annotations

import ssl
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import unquote

import trustme

from tests.support import azurite
from tests.support.azure import imds
from tests.support.azure.asked import BREAKS_OFF, SILENCE, STALLS, Answer, Asked, Fault, error
from tests.support.azure.imds import IMDS
from tests.support.azure.registries import DISCOVERY, REGION, Registry
from tests.support.azure.tokens import LOGIN, Entra, audience
from tests.support.azure.tunnel import Tunnel
from tests.support.azure.workspaces import ARM, NO_SUCH, PROVIDER, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.azurite import Azurite

AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
STORAGE = "*.blob.core.windows.net"
FAULTY = "faulty.blob.core.windows.net"
"""An account that answers nothing but the faults that are set for it."""
OF_A_CONNECTION = ("connection", "keep-alive", "transfer-encoding", "content-length")


@dataclass
class ControlPlane:
    """What answers for all of Azure, and a log of what it was asked.

    Storage is `behind` it where a host is led here as well, so that faults can be set for it; else clients go to
    storage themselves.
    """

    entra: Entra = field(default_factory=Entra)
    workspaces: list[Workspace] = field(default_factory=list)
    registries: list[Registry] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    behind: int = 0

    def answer(self, asked: Asked) -> Answer:
        """What the service named by the host answers, or the first fault that meets the request."""
        self.asked.append(asked)
        if fault := next((fault for fault in self.faults if fault.meets(asked)), None):
            return fault.answer
        if asked.host == LOGIN:
            return self.entra.answer(asked)
        if asked.host == IMDS:
            return imds.answered(asked, self.entra)
        if fnmatch(asked.host, STORAGE) and asked.host != FAULTY:
            return _passed_on(asked, self.behind)
        if audience(asked.headers.get("authorization", "")).rstrip("/") not in AUDIENCES:
            return error(
                401, "InvalidAuthenticationToken", "The access token is missing, expired or for another service."
            )
        if asked.host == DISCOVERY:
            return self._discovered(asked)
        return self._resource(asked)

    def _discovered(self, asked: Asked) -> Answer:
        name = asked.path.split("/")[-2]
        found = next((registry for registry in self.registries if registry.name == name), None)
        return found.discovered() if found else error(404, "RegistryNotFound", f"there is no registry {name}")

    def _resource(self, asked: Asked) -> Answer:
        """Names of groups, providers and workspaces mean the same in any case of letters."""
        path = unquote(asked.path)
        places = (
            [(workspace.id, workspace) for workspace in self.workspaces]
            if asked.host == ARM
            else [(registry.path, registry) for registry in self.registries]
        )
        for prefix, place in places:
            if path.lower().startswith(f"{prefix.lower()}/"):
                return place.answer(asked, path[len(prefix) :])
        return self._no_place(path.split("/")) if asked.host == ARM else NO_SUCH

    def _no_place(self, path: list[str]) -> Answer:
        """As Azure Resource Manager says that a workspace does not exist, or what should contain it."""
        _, _, subscription, _, group, *_, name = path[:9]
        if subscription not in {workspace.subscription for workspace in self.workspaces}:
            return error(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
        if group.lower() not in {workspace.group.lower() for workspace in self.workspaces}:
            return error(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
        kind = PROVIDER.partition("/")[2]
        what = f"The Resource '{kind}/workspaces/{name}' under resource group '{group}' was not found."
        return error(404, "ResourceNotFound", what)


def _passed_on(asked: Asked, port: int) -> Answer:
    """What the real storage answers, which knows the account by the host's name."""
    # Its certificate is for that name, and it is reached by its address.
    connection = HTTPSConnection("127.0.0.1", port, context=ssl._create_unverified_context(), timeout=30)
    try:
        connection.request(asked.method, asked.target, asked.body or None, asked.headers)
        answer = connection.getresponse()
        said = {name: value for name, value in answer.getheaders() if name.lower() not in OF_A_CONNECTION}
        return Answer(answer.status, answer.read(), said)
    finally:
        connection.close()


@dataclass
class Cloud:
    """A running Azure. `environment` are the variables with which a process finds it, and nothing else; `imds` is
    the port at which machines would find their metadata.
    """

    control: ControlPlane
    storage: Azurite
    tunnel: Tunnel
    environment: dict[str, str]
    imds: int

    def lead_through_control(self, host: str) -> None:
        """From now on faults can be set for this host of storage, too; it answers as before otherwise."""
        self.tunnel.routes = {host: self.tunnel.routes[ARM], **self.tunnel.routes}


@contextmanager
def running(folder: Path, host: str = "127.0.0.1") -> Iterator[Cloud]:
    """An Azure without workspaces, which ends with the block; `host` is where its clients see this machine."""
    authority = trustme.CA()
    certificate = authority.issue_cert(ARM, LOGIN, "*.api.azureml.ms", "*.experiments.azureml.net", STORAGE)
    trusted, chain, key = folder / "ca.pem", folder / "azure.pem", folder / "azure.key"
    authority.cert_pem.write_to_path(str(trusted))
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(str(key))
    control = ControlPlane()
    with (
        azurite.running(folder, certificate=chain, key=key) as storage,
        _served(control, certificate) as port,
        _served(control, None, host) as metadata,
    ):
        control.behind = storage.port
        told = dict.fromkeys((ARM, LOGIN, DISCOVERY, REGION, FAULTY), port)
        tunnel = Tunnel({**told, STORAGE: storage.port}, host)
        yield Cloud(control, storage, tunnel, _environment(tunnel, trusted), metadata)
        tunnel.close()


def _environment(tunnel: Tunnel, trusted: Path) -> dict[str, str]:
    """Synchronous clients read one variable for certificates, asynchronous ones and Rust's the other."""
    proxied = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), tunnel.url)
    local = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    return {**proxied, **local, "REQUESTS_CA_BUNDLE": str(trusted), "SSL_CERT_FILE": str(trusted)}


@contextmanager
def _served(control: ControlPlane, certificate: trustme.LeafCert | None, host: str = "127.0.0.1") -> Iterator[int]:
    server = ThreadingHTTPServer((host, 0), type("Handler", (_Handler,), {"control": control}))
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        # The handshake happens in the thread of the connection, so that no client can hold up the others.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


class _Handler(BaseHTTPRequestHandler):
    control: ControlPlane
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, headers["host"].partition(":")[0], self.path, headers, body)
        answer = self.control.answer(asked)
        if answer.status == 0:
            self._leave(answer)
            return
        self.send_response_only(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.payload)))
        self.end_headers()
        self.wfile.write(answer.payload)

    def _leave(self, answer: Answer) -> None:
        self.close_connection = True
        if answer in (STALLS, BREAKS_OFF):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
        with suppress(OSError):
            self.rfile.read(1 if answer in (SILENCE, STALLS) else 0)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        pass
