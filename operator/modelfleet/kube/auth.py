"""Who we are for a cluster, and how to trust it: from the pod's service account, or from a kubeconfig."""

import asyncio
import os
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from modelfleet.core.errors import Unauthenticated
from modelfleet.kube.client import KubeClient

# The token of a service account is re-read every minute by the library; that of a kubeconfig (which may come
# from a cloud's login plugin and live for an hour) is asked for again after this time.
RELOAD_S = 300.0
# What kubectl takes where nothing names a namespace.
NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class Connection:
    """What another client of the same cluster needs to know, with the token of this moment."""

    server: str
    ca_path: str | None
    insecure: bool
    scheme: str | None
    token: str | None
    certificate_path: str | None
    private_key_path: str | None
    proxy_url: str | None


class Credentials:
    """The way to one cluster; without a kubeconfig that of the pod, or of kubectl outside a pod."""

    def __init__(self, kubeconfig: Path | None, context: str | None) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._reloads = kubeconfig is not None or "KUBERNETES_SERVICE_HOST" not in os.environ
        self._loaded_at = float("-inf")
        self._loading = asyncio.Lock()
        self.configuration: Any = Configuration()
        self.namespace = NAMESPACE

    async def authorization(self) -> str | None:
        """The value of the Authorization header, or None with a client certificate; may raise Unauthenticated."""
        await self.refresh()
        with _border():
            value: str | None = await self.configuration.get_api_key_with_prefix(
                "BearerToken", alias="authorization"
            )
            return value

    async def refresh(self) -> None:
        """Read again what may have changed."""
        async with self._loading:
            if time.monotonic() - self._loaded_at < RELOAD_S:
                return
            with _border():
                await self._load()
            self._loaded_at = time.monotonic() if self._reloads else float("inf")

    def tls(self) -> ssl.SSLContext:
        """Whom to trust and which certificate to show; may raise Unauthenticated."""
        # Like every Go client: the CA certificates of older clusters lack extensions that Python 3.13 insists on.
        self.configuration.disable_strict_ssl_verification = True
        with _border():
            context: ssl.SSLContext = RESTClientObject(self.configuration).ssl_context
            return context

    async def _load(self) -> None:
        if not self._reloads:
            config.load_incluster_config(client_configuration=self.configuration)
            self.namespace = _pod_namespace()
            return
        # The library wants a string.
        path = str(self._kubeconfig) if self._kubeconfig else None
        loader = await config.load_kube_config(
            path, self._context, client_configuration=self.configuration, persist_config=False
        )
        self.namespace = loader.current_context["context"].get("namespace") or NAMESPACE


def _pod_namespace() -> str:
    """The namespace of this pod, which stands beside its token; not everything that looks like a pod has one."""
    file = Path(config.incluster_config.SERVICE_TOKEN_FILENAME).with_name("namespace")
    return file.read_text().strip() if file.exists() else NAMESPACE


@contextmanager
def _border() -> Iterator[None]:
    """Where the library's failures become ours; it lets through whatever a broken file makes Python raise.

    In braces it quotes the user's entry of the kubeconfig, with keys and tokens.
    """
    try:
        yield
    except Exception as error:
        told = re.sub(r"\{.*\}", "{…}", str(error), flags=re.DOTALL)
        raise Unauthenticated(f"The credentials cannot be read: {told}") from None


async def connect(kubeconfig: Path | None, context: str | None) -> KubeClient:
    """A client of the cluster; Unauthenticated when the credentials cannot be read. Nothing is sent yet."""
    return (await enter(kubeconfig, context))[0]


async def enter(kubeconfig: Path | None, context: str | None) -> tuple[KubeClient, str]:
    """The same, with the namespace that is meant where none is named."""
    credentials = Credentials(kubeconfig, context)
    await credentials.refresh()
    configuration = credentials.configuration
    client = KubeClient(
        configuration.host,
        authorization=credentials.authorization,
        tls=credentials.tls(),
        server_hostname=configuration.tls_server_name,
        proxy=configuration.proxy,
    )
    return client, credentials.namespace


async def connection(kubeconfig: Path | None, context: str | None) -> Connection:
    """The same credentials in the form that kopf's login handler returns; read anew by each call."""
    credentials = Credentials(kubeconfig, context)
    scheme, _, token = (await credentials.authorization() or "").partition(" ")
    configuration = credentials.configuration
    return Connection(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme.capitalize() or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        proxy_url=configuration.proxy,
    )
