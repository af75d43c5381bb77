"""What Prometheus can ask: requests by model, version and protocol, how long they took, what is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    from modelserver.model import Model

disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the number of series

CONTENT_TYPE = CONTENT_TYPE_LATEST
# From a cached linear model (50 µs) to a large one that nearly runs into the request timeout.
SECONDS = (
    5e-5,
    1e-4,
    25e-5,
    5e-4,
    1e-3,
    25e-4,
    5e-3,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)
MODEL = ("model", "version")
ENDPOINT = (*MODEL, "protocol")


class Metrics:
    """The metrics of one server. Only requests for an inference count; a request that named no model that is
    served here has empty labels for model and version, so that clients cannot make up time series.
    """

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "modelserver_requests", "Answered inference requests.", (*ENDPOINT, "code"), registry=registry
        )
        self.request_seconds = Histogram(
            "modelserver_request_duration_seconds",
            "From the whole request being read to its answer being ready.",
            ENDPOINT,
            buckets=SECONDS,
            registry=registry,
        )
        self.inference_seconds = Histogram(
            "modelserver_inference_duration_seconds",
            "Of request_duration: waiting for a thread and running the model.",
            MODEL,
            buckets=SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "modelserver_requests_in_flight", "Inference requests being answered.", registry=registry
        )
        self.load_seconds = Gauge(
            "modelserver_model_load_seconds", "What loading the model took.", MODEL, registry=registry
        )
        self.warm_up_seconds = Gauge(
            "modelserver_model_warm_up_seconds", "What the first run of the model took.", MODEL, registry=registry
        )
        self.ready = Gauge(
            "modelserver_ready",
            "1 while requests should be sent here, as the readiness probe says.",
            registry=registry,
        )
        self.connections = Gauge("modelserver_connections", "Open HTTP connections.", registry=registry)

    def loaded(self, model: Model, warm_up_s: float) -> None:
        """Records what it took to make `model` ready."""
        self.load_seconds.labels(model.name, model.version).set(model.load_s)
        self.warm_up_seconds.labels(model.name, model.version).set(warm_up_s)

    def answered(self, model: Model | None, protocol: str, code: int, seconds: float) -> None:
        """Records one answered inference request; `model` is None when the request named none that is here."""
        name, version = (model.name, model.version) if model else ("", "")
        self.requests.labels(name, version, protocol, str(code)).inc()
        self.request_seconds.labels(name, version, protocol).observe(seconds)

    def text(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        return generate_latest(self._registry)
