"""What goes over the wire, without the wire: requests are built and answers are read by pure functions."""

import json
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from modelfleet.core.errors import (
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    ModelfleetError,
    NotFound,
    Retryable,
    Terminal,
    Throttled,
    Unauthenticated,
    Unavailable,
)
from modelfleet.core.manifest import dig

Object: TypeAlias = dict[str, Any]

JSON = "application/json"
TEXT = "text/plain"
# JSON is YAML, so an apply needs no second serialiser.
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

_RETRYABLE: Mapping[int, type[Retryable]] = {401: Unauthenticated, 408: Unavailable, 429: Throttled}
_TERMINAL: Mapping[int, type[Terminal]] = {403: Forbidden, 404: NotFound}


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to an API server."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Object | None = None
    content_type: str = JSON
    accept: str = JSON

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def headers(self) -> dict[str, str]:
        """The headers that follow from the request itself."""
        accept = {"Accept": self.accept}
        return accept if self.body is None else accept | {"Content-Type": self.content_type}

    def data(self) -> bytes | None:
        """The body as it is sent."""
        return None if self.body is None else json.dumps(self.body, separators=(",", ":")).encode()


def listing(path: str, *, label_selector: str, limit: int, resource_version: str, token: str) -> Request:
    """One page of a list; with a continue token the server knows the version itself and refuses another."""
    params = {"labelSelector": label_selector, "limit": str(limit) if limit else "", "continue": token}
    if not token:
        params["resourceVersion"] = resource_version
    return Request("GET", path, _given(params))


def watching(
    path: str, *, label_selector: str, resource_version: str, timeout_s: int, field_selector: str = ""
) -> Request:
    """A stream of the changes since a version, which the server ends after the timeout."""
    params = {
        "watch": "1",
        "allowWatchBookmarks": "true",
        "labelSelector": label_selector,
        "fieldSelector": field_selector,
        "resourceVersion": resource_version,
        "timeoutSeconds": str(timeout_s),
    }
    return Request("GET", path, _given(params))


def applying(path: str, manifest: Object, *, field_manager: str, force: bool, dry_run: bool = False) -> Request:
    """A server-side apply; a dry run is refused as the real one would be, and changes nothing."""
    params = {"fieldManager": field_manager, "force": "true" if force else "false"}
    if dry_run:
        params["dryRun"] = "All"
    return Request("PATCH", path, params, manifest, APPLY)


def merging(path: str, patch: Object, *, field_manager: str) -> Request:
    """A change of the fields in the patch and of no other, whatever the object is by now (a JSON merge patch)."""
    return Request("PATCH", path, {"fieldManager": field_manager}, patch, MERGE)


def deleting(path: str, *, uid: str) -> Request:
    """The deletion of exactly the object with this uid; what it owns goes in the background."""
    return Request("DELETE", path, body={"preconditions": {"uid": uid}, "propagationPolicy": "Background"})


def asking_pod(pods: str, pod: str, port: int, path: str) -> Request:
    """A GET of a path below the port of a pod, which the API server passes on to it."""
    return Request("GET", f"{pods}/{pod}:{port}/proxy{path}", accept=TEXT)


def answer(request: Request, status: int, headers: Mapping[str, str], body: bytes) -> Object:
    """The object in a successful answer; anything else raises the error that says what to do next."""
    parsed = _parse(body)
    if not 200 <= status < 300:
        raise failure(request, status, parsed or {}, retry_after_s=_seconds(headers.get("Retry-After")))
    if parsed is None:
        raise Unavailable(f"{request}: the answer is not a Kubernetes object")
    return parsed


def text(request: Request, status: int, headers: Mapping[str, str], body: bytes) -> str:
    """The text in a pod's successful answer; anything else raises the error that says what to do next.

    What the API server itself has to say is a `Status`. Every other failure is the pod's own, whose 404 does not
    mean that there is no pod.
    """
    if not 200 <= status < 300:
        parsed = _parse(body) or {}
        if parsed.get("kind") == "Status":
            raise failure(request, status, parsed, retry_after_s=_seconds(headers.get("Retry-After")))
        raise Unavailable(f"{request}: the pod answered HTTP {status}")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Unavailable(f"{request}: the answer is not a text") from error


def failure(request: Request, code: int, status: Object, *, retry_after_s: float | None = None) -> ModelfleetError:
    """The error for an HTTP code and the `Status` object that came with it (empty when a proxy answered)."""
    message = status.get("message") or f"{request}: HTTP {code}"
    if code == 409:
        return _conflict(status, message)
    if code == 410:
        return Expired(message)
    # A redirect, too, is somebody else's answer: of a proxy, or a sign-in page.
    if not 400 <= code < 500 or code in _RETRYABLE:
        return _RETRYABLE.get(code, Unavailable)(message, retry_after_s=retry_after_s)
    refusal = _TERMINAL.get(code, Invalid)
    # An admission webhook may put anything there; a condition takes one word.
    reason = str(status.get("reason"))
    return refusal(reason if reason.isalnum() and reason != "None" else refusal.__name__, message)


@dataclass(frozen=True, slots=True)
class Page:
    """One chunk of a list; an empty token means that it is the last."""

    items: list[Object]
    resource_version: str
    token: str


def page(request: Request, body: Object) -> Page:
    """The chunk in the answer to a list request; the items get the type that the list says only once."""
    metadata = body.get("metadata") or {}
    version = metadata.get("resourceVersion")
    if not isinstance(version, str):
        raise Unavailable(f"{request}: the answer is not a Kubernetes list")
    type_meta = {"apiVersion": body.get("apiVersion"), "kind": str(body.get("kind")).removesuffix("List")}
    items = [type_meta | item for item in body.get("items") or ()]
    return Page(items, version, metadata.get("continue") or "")


async def lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The whole lines of a stream, however long; the reader's own line limit is below etcd's object size."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line


def event(request: Request, line: bytes) -> tuple[str, Object]:
    """The type and object of one line of a watch; an ERROR line raises what it reports."""
    parsed = _parse(line) or {}
    kind, body = parsed.get("type"), parsed.get("object")
    if not isinstance(kind, str) or not isinstance(body, dict):
        raise Unavailable(f"{request}: the stream is not a Kubernetes watch")
    if kind == "ERROR":
        raise failure(request, body.get("code") or 500, body)
    return kind, body


def micro_time() -> str:
    """Now, in the API's MicroTime; for people to read, never to compare between machines."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _conflict(status: Object, message: str) -> ModelfleetError:
    """Another field manager's claim does not go away by reading again; every other conflict does."""
    if "FieldManagerConflict" in _reasons(dig(status, "details", "causes")):
        return Terminal("FieldManagerConflict", message)
    return Conflict(message)


def _reasons(causes: object) -> set[str]:
    return {str(dig(cause, "reason")) for cause in causes} if isinstance(causes, list) else set()


def _parse(body: bytes) -> Object | None:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _seconds(header: str | None) -> float | None:
    """API servers send whole seconds; a proxy's HTTP date is not worth a parser."""
    return float(header) if header and header.isdecimal() else None


def _given(params: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in params.items() if value}
