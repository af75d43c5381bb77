"""A stand-in for an OpenTelemetry collector: takes traces over OTLP/HTTP and keeps their spans."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

REFUSED = 400  # not a status that is tried again


@dataclass
class Collector:
    """A running collector, and what it received: spans, and the attributes of their resource."""

    spans: list[Span] = field(default_factory=list)
    resource: dict[str, Any] = field(default_factory=dict)
    is_broken: bool = False

    def __post_init__(self) -> None:
        handler = type("Handler", (_Handler,), {"collector": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Ends the collector."""
        self._server.shutdown()
        self._server.server_close()

    def named(self, name: str) -> list[Span]:
        """The spans of that name."""
        return [span for span in self.spans if span.name == name]

    def receive(self, request: ExportTraceServiceRequest) -> None:
        """Keeps what was sent."""
        for resource in request.resource_spans:
            self.resource = values(resource.resource.attributes)
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)


class _Handler(BaseHTTPRequestHandler):
    collector: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if not self.collector.is_broken and self.path == "/v1/traces":
            self.collector.receive(ExportTraceServiceRequest.FromString(body))
        self.send_response(REFUSED if self.collector.is_broken else 200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def values(attributes: Any) -> dict[str, Any]:
    """Attributes as Python values by name."""
    return {pair.key: _value(pair.value) for pair in _pairs(attributes)}


def _pairs(attributes: Any) -> list[KeyValue]:
    return list(attributes)


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None
