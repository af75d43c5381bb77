"""One Kubernetes cluster, spoken to in raw dicts; every failure leaves here as an error of the core."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver

from modelfleet.core.errors import NotFound, Unavailable, Unreachable
from modelfleet.kube import wire
from modelfleet.kube.wire import Object, Request

CONNECT_S = 5.0
TOTAL_S = 30.0
# The API server sends a bookmark about every minute; a stream that is silent for longer is dead.
SILENCE_S = 90.0
# A pod is asked while a reconcile waits, and may be anybody's program.
POD_S = 5.0
POD_BYTES = 4 * 1024 * 1024
KEEP_ALIVE_S = 60.0
CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Resource:
    """One Kubernetes resource type."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @classmethod
    def of(cls, manifest: Object) -> "Resource":
        """The resource type that an object says it is; KeyError when it is none of this module's."""
        return _KNOWN[manifest["apiVersion"], manifest["kind"]]

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of one object, or of the collection: in one namespace, or in all."""
        root = "/apis/" if "/" in self.api_version else "/api/"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{self.api_version}{scope}/{self.plural}{tail}"


PODS = Resource("v1", "Pod", "pods")
SERVICES = Resource("v1", "Service", "services")
SECRETS = Resource("v1", "Secret", "secrets")
CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")
SERVICE_ACCOUNTS = Resource("v1", "ServiceAccount", "serviceaccounts")
NAMESPACES = Resource("v1", "Namespace", "namespaces", namespaced=False)
DEPLOYMENTS = Resource("apps/v1", "Deployment", "deployments")
REPLICA_SETS = Resource("apps/v1", "ReplicaSet", "replicasets")
HORIZONTAL_POD_AUTOSCALERS = Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
POD_DISRUPTION_BUDGETS = Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
NETWORK_POLICIES = Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
HTTP_ROUTES = Resource("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
LEASES = Resource("coordination.k8s.io/v1", "Lease", "leases")
EVENTS = Resource("events.k8s.io/v1", "Event", "events")
CLUSTER_ROLES = Resource("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource(
    "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
MODEL_DEPLOYMENTS = Resource("modelfleet.dev/v1alpha1", "ModelDeployment", "modeldeployments")

_KNOWN: Mapping[tuple[str, str], Resource] = {
    (resource.api_version, resource.kind): resource
    for resource in (
        PODS,
        SERVICES,
        SECRETS,
        CONFIG_MAPS,
        SERVICE_ACCOUNTS,
        NAMESPACES,
        DEPLOYMENTS,
        REPLICA_SETS,
        HORIZONTAL_POD_AUTOSCALERS,
        POD_DISRUPTION_BUDGETS,
        NETWORK_POLICIES,
        HTTP_ROUTES,
        LEASES,
        EVENTS,
        CLUSTER_ROLES,
        CLUSTER_ROLE_BINDINGS,
        ROLE_BINDINGS,
        MODEL_DEPLOYMENTS,
    )
}


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects of a list, and the version of the world that it shows."""

    items: list[Object]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change: type is ADDED, MODIFIED, DELETED, or BOOKMARK (only the object's resourceVersion is set)."""

    type: str
    object: Object


class KubeClient:
    """The API server of one cluster.

    Every method raises only errors of `modelfleet.core.errors`. `authorization` is asked for the header's
    value before each request, so that tokens may rotate. An answer of more than `answer_bytes` is Unavailable.
    `resolver` finds the addresses of names, instead of the system's own way.
    Close the client when done.
    """

    def __init__(
        self,
        base_url: str,
        *,
        authorization: Callable[[], Awaitable[str | None]] | None = None,
        tls: ssl.SSLContext | bool = True,
        server_hostname: str | None = None,
        proxy: str | None = None,
        connect_s: float = CONNECT_S,
        total_s: float = TOTAL_S,
        silence_s: float = SILENCE_S,
        pod_s: float = POD_S,
        answer_bytes: int | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._authorization = authorization
        self._server_hostname = server_hostname
        self._timeout = aiohttp.ClientTimeout(total=total_s, sock_connect=connect_s)
        self._watch_timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=silence_s)
        self._pod_timeout = aiohttp.ClientTimeout(total=pod_s, sock_connect=connect_s)
        self._answer_bytes = answer_bytes
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S, ssl=tls, resolver=resolver)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy,
        )
        # Watches live for minutes: counted in the connector's limit, they would starve the requests.
        self._slots = asyncio.Semaphore(CONNECTIONS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop all connections; running watches end with Unreachable."""
        await self._session.close()

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """The object, or None when there is none of that name."""
        try:
            return await self._send(Request("GET", resource.path(namespace, name)))
        except NotFound:
            return None

    async def ask(self, request: Request) -> Object:
        """The answer to a request that is none of the others."""
        return await self._send(request)

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        chunk: int = 500,
        resource_version: str = "",
    ) -> Listing:
        """All objects, read in chunks; Expired when reading took longer than the server keeps a version."""
        items: list[Object] = []
        version = ""
        async for page in self.pages(
            resource,
            namespace=namespace,
            label_selector=label_selector,
            chunk=chunk,
            resource_version=resource_version,
        ):
            items += page.items
            version = page.resource_version
        return Listing(items, version)

    async def pages(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        chunk: int = 500,
        resource_version: str = "",
    ) -> AsyncGenerator[Listing, None]:
        """A list chunk by chunk, for those who keep less than they read."""
        token = ""
        while True:
            request = wire.listing(
                resource.path(namespace),
                label_selector=label_selector,
                limit=chunk,
                resource_version=resource_version,
                token=token,
            )
            page = wire.page(request, await self._send(request))
            yield Listing(page.items, page.resource_version)
            token = page.token
            if not token:
                return

    async def apply(
        self, manifest: Object, *, field_manager: str, force: bool = True, dry_run: bool = False
    ) -> Object:
        """Make the object have these fields (server-side apply); returns it as it now is, or would be."""
        request = wire.applying(
            _path(manifest), manifest, field_manager=field_manager, force=force, dry_run=dry_run
        )
        return await self._send(request)

    async def create(self, manifest: Object) -> Object:
        """Create the object; Conflict when one of that name exists."""
        collection = Resource.of(manifest).path(manifest["metadata"].get("namespace"))
        return await self._send(Request("POST", collection, body=manifest))

    async def replace(self, body: Object) -> Object:
        """Replace the object; Conflict when its resourceVersion is no longer current."""
        return await self._send(Request("PUT", _path(body), body=body))

    async def replace_status(self, body: Object) -> Object:
        """Replace the status and nothing else; Conflict when the resourceVersion is no longer current."""
        return await self._send(Request("PUT", _path(body, "status"), body=body))

    async def merge(
        self, resource: Resource, namespace: str | None, name: str, patch: Object, *, field_manager: str
    ) -> Object:
        """Change the fields in the patch (a JSON merge patch); NotFound when the object is not there."""
        return await self._send(wire.merging(resource.path(namespace, name), patch, field_manager=field_manager))

    async def delete(self, resource: Resource, namespace: str | None, name: str, *, uid: str) -> None:
        """Delete the object with that uid; gone already is fine, another one of its name is a Conflict."""
        try:
            await self._send(wire.deleting(resource.path(namespace, name), uid=uid))
        except NotFound:
            return

    async def watch(
        self,
        resource: Resource,
        *,
        resource_version: str,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        timeout_s: int = 300,
    ) -> AsyncGenerator[WatchEvent, None]:
        """The changes since a version until the server ends the stream; Expired when it has forgotten it.

        Without a version, what is there comes first, as if it had just been added.
        """
        request = wire.watching(
            resource.path(namespace),
            label_selector=label_selector,
            field_selector=field_selector,
            resource_version=resource_version,
            timeout_s=timeout_s,
        )
        with _border(request):
            async with await self._open(request, self._watch_timeout) as response:
                if response.status != 200:
                    wire.answer(request, response.status, response.headers, await response.read())
                async for line in wire.lines(response.content.iter_any()):
                    yield WatchEvent(*wire.event(request, line))

    async def pod_text(self, namespace: str, pod: str, port: int, path: str) -> str:
        """What the program behind a pod's port answers to a GET, by way of the API server.

        NotFound when there is no such pod; Unavailable when it refuses, fails, or answers with more than 4 MiB;
        Unreachable after 5 s. Takes no slot, since pods that hang must not keep other requests waiting.
        """
        request = wire.asking_pod(PODS.path(namespace), pod, port, path)
        with _border(request):
            async with await self._open(request, self._pod_timeout) as response:
                body = await _bounded(request, response, POD_BYTES)
        return wire.text(request, response.status, response.headers, body)

    async def _send(self, request: Request) -> Object:
        with _border(request):
            async with self._slots, await self._open(request, self._timeout) as response:
                body = await _bounded(request, response, self._answer_bytes)
        return wire.answer(request, response.status, response.headers, body)

    async def _open(self, request: Request, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        headers = request.headers()
        if self._authorization and (value := await self._authorization()):
            headers["Authorization"] = value
        if self._session.closed:
            raise aiohttp.ClientConnectionError("the connection was given up meanwhile")
        return await self._session.request(
            request.method,
            self.base_url + request.path,
            params=request.params,
            data=request.data(),
            headers=headers,
            timeout=limits,
            server_hostname=self._server_hostname,
            allow_redirects=False,
        )


def _path(manifest: Object, subresource: str | None = None) -> str:
    metadata: dict[str, Any] = manifest["metadata"]
    return Resource.of(manifest).path(metadata.get("namespace"), metadata["name"], subresource)


async def _bounded(request: Request, response: aiohttp.ClientResponse, limit: int | None) -> bytes:
    if limit is None:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise Unavailable(f"{request}: the answer is larger than {limit} bytes")
    return bytes(body)


@contextmanager
def _border(request: Request) -> Iterator[None]:
    """Where the failures of the network become Unreachable."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unreachable(f"{request}: {str(error) or type(error).__name__}") from error
    except asyncio.CancelledError as error:
        # A task inside aiohttp was cancelled (kopf cancels whatever it finds when it ends), not the caller.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Unreachable(f"{request}: the connection attempt was cancelled") from error
