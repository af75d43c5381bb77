"""A request as it can be sent again over HTTP, to a server of the same kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import orjson

from modelserver.observers.finished import MARK
from modelserver.protocols.binary import raw_of

if TYPE_CHECKING:
    from modelserver.models.model import Model
    from modelserver.observers.finished import Finished
    from modelserver.protocols.inference import Inference

CREDENTIALS = {b"authorization", b"api-key", b"x-api-key"}
# What belongs to the connection or to the one server, or makes answers hard to compare.
NOT_SENT = {
    b"accept-encoding",
    b"connection",
    b"content-encoding",  # requests are decompressed before anybody sees them
    b"content-length",
    b"cookie",
    b"expect",
    b"host",
    b"keep-alive",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
GRPC = (b":", b"grpc-")  # what HTTP/2 and gRPC say in headers of their own


@dataclass(frozen=True, slots=True)
class Replay:
    """What to send; `target` is path and query."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | memoryview


def replay(request: Finished, *, with_credentials: bool) -> Replay | None:
    """`request` as it came over HTTP, or what would have been the same there; None if that cannot be said.

    `with_credentials` also sends what proves who the caller is.
    """
    asked = request.asked
    left_out = NOT_SENT if with_credentials else NOT_SENT | CREDENTIALS
    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in asked.headers.items()
        if name not in left_out and not name.startswith(GRPC)
    }
    headers |= {MARK.decode(): "1", "x-request-id": asked.id}
    if http := request.over_http:
        return Replay(http.method, _relative(http.target), headers, http.body)
    if request.model and request.inference:
        return _binary(request.model, request.inference, headers)
    return None


def size(request: Finished) -> int:
    """About how many bytes it takes to send `request` again."""
    if asked := request.over_http:
        return len(asked.body)
    return sum(array.nbytes for array in request.inference.feed.values()) if request.inference else 0


def _binary(model: Model, inference: Inference[Any], headers: dict[str, str]) -> Replay:
    """The inference in the Open Inference Protocol's binary form; which version is left to the other server."""
    raws = [raw_of(array) for array in inference.feed.values()]
    inputs = [
        {
            "name": name,
            "datatype": model.signature.input(name).datatype.name,
            "shape": array.shape,
            "parameters": {"binary_data_size": len(raw)},
        }
        for (name, array), raw in zip(inference.feed.items(), raws, strict=True)
    ]
    outputs = [{"name": name, "parameters": {"binary_data": True}} for name in inference.outputs]
    head = orjson.dumps({"inputs": inputs, "outputs": outputs})
    headers |= {"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))}
    return Replay("POST", f"/v2/models/{quote(model.name)}/infer", headers, b"".join([head, *raws]))


def _relative(target: str) -> str:
    """Proxies may send a whole URL."""
    if target.startswith("/"):
        return target
    parts = urlsplit(target)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
