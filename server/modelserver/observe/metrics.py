"""What Prometheus can ask: requests by model, version and protocol, how long they took, what is loaded.

Counting happens in the event loop's thread only, once per request, so it is plain arithmetic without locks;
everything else happens when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

    from modelserver.models.model import Model

CONTENT_TYPE = CONTENT_TYPE_LATEST
# From a cached linear model (50 µs) to a large one that nearly runs into the request timeout.
SECONDS = (5e-5, 1e-4, 25e-5, 5e-4, 1e-3, 25e-4, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
MODEL = ("model", "version")
ENDPOINT = (*MODEL, "protocol")


class Served(Protocol):
    """What requests are for: a model, or a handler."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...


class Distribution:
    """How many values lay within each of `bounds` (the last bucket has no bound), and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Counts `value`."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values were observed."""
        return sum(self.counts)

    def buckets(self) -> list[tuple[str, float]]:
        """The cumulative counts by upper bound, as Prometheus wants them."""
        found, sofar = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            sofar += count
            found.append((bound, float(sofar)))
        return found


class EndpointMeter:
    """The requests for one model in one protocol."""

    __slots__ = ("answers", "failed_seconds", "received_bytes", "seconds", "sent_bytes")

    def __init__(self) -> None:
        self.answers: Counter[int] = Counter()
        self.seconds = Distribution(SECONDS)
        self.failed_seconds = 0.0
        self.received_bytes = 0
        self.sent_bytes = 0

    def answered(self, code: int, seconds: float, received: int, sent: int) -> None:
        """Counts one answered request."""
        self.answers[code] += 1
        self.seconds.observe(seconds)
        if code >= 400:
            self.failed_seconds += seconds
        self.received_bytes += received
        self.sent_bytes += sent


class ModelMeter:
    """The runs of one model, whichever protocols asked for them."""

    __slots__ = ("failures", "in_flight", "last_run_at", "queue_seconds", "rows", "run_seconds")

    def __init__(self) -> None:
        self.in_flight = 0
        self.queue_seconds = Distribution(SECONDS)
        self.run_seconds = Distribution(SECONDS)
        self.rows = Distribution(ROWS)
        self.failures = 0
        self.last_run_at = 0.0  # seconds since the epoch

    def ran(self, rows: int, seconds: float, at: float) -> None:
        """Counts one run of the model, which answered `rows` rows of one or more requests."""
        self.rows.observe(rows)
        self.run_seconds.observe(seconds)
        self.last_run_at = at


class Metrics(Collector):
    """The metrics of one server. Only requests for an inference count; a request that named no model that is
    served here has empty labels for model and version, so that clients cannot make up time series.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(self)
        self._endpoints: dict[tuple[str, str, str], EndpointMeter] = {}
        self._models: dict[tuple[str, str], ModelMeter] = {}
        self._load_seconds: dict[tuple[str, str], tuple[float, float]] = {}
        self.ready = Gauge(
            "modelserver_ready",
            "1 while requests should be sent here, as the readiness probe says.",
            registry=registry,
        )
        self.connections = Gauge(
            "modelserver_connections", "Open connections, of HTTP and gRPC.", registry=registry
        )

    def endpoint(self, served: Served | None, protocol: str) -> EndpointMeter:
        """The meter for requests for what is `served`, in `protocol`; None where they named nothing here."""
        key = (served.name, served.version, protocol) if served else ("", "", protocol)
        meter = self._endpoints.get(key)
        if meter is None:
            meter = self._endpoints[key] = EndpointMeter()
        return meter

    def model(self, name: str, version: str) -> ModelMeter:
        """The meter for runs of a model."""
        return self._models.setdefault((name, version), ModelMeter())

    def endpoints(self, name: str, version: str) -> dict[str, EndpointMeter]:
        """The meters of one model by protocol."""
        return {key[2]: meter for key, meter in self._endpoints.items() if key[:2] == (name, version)}

    def loaded(self, model: Model, warm_up_s: float) -> None:
        """Records what it took to make `model` ready."""
        self._load_seconds[model.name, model.version] = (model.load_s, warm_up_s)
        self.model(model.name, model.version)

    def unloaded(self, name: str, version: str) -> None:
        """Forgets the gauges of a model; its counters stay, as counters must."""
        self._load_seconds.pop((name, version), None)

    def text(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        return generate_latest(self.registry)

    def collect(self) -> Iterable[Metric]:
        """What Prometheus' registry asks for at every scrape."""
        yield from self._of_endpoints()
        yield from self._of_models()
        yield from self._of_loading()

    def _of_endpoints(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "modelserver_requests", "Answered inference requests.", labels=(*ENDPOINT, "code")
        )
        seconds = HistogramMetricFamily(
            "modelserver_request_duration_seconds",
            "From the whole request being read to its answer being ready.",
            labels=ENDPOINT,
        )
        received = CounterMetricFamily(
            "modelserver_request_bytes", "Bodies of inference requests.", labels=ENDPOINT
        )
        sent = CounterMetricFamily("modelserver_response_bytes", "Bodies of their answers.", labels=ENDPOINT)
        for key, meter in self._endpoints.items():
            for code, count in meter.answers.items():
                requests.add_metric([*key, str(code)], count)
            seconds.add_metric(key, meter.seconds.buckets(), meter.seconds.total)
            received.add_metric(key, meter.received_bytes)
            sent.add_metric(key, meter.sent_bytes)
        yield from (requests, seconds, received, sent)

    def _of_models(self) -> Iterator[Metric]:
        in_flight = GaugeMetricFamily(
            "modelserver_requests_in_flight", "Inference requests that wait or run.", labels=MODEL
        )
        queued = HistogramMetricFamily(
            "modelserver_queue_duration_seconds", "Of request_duration: waiting to be run.", labels=MODEL
        )
        runs = HistogramMetricFamily(
            "modelserver_inference_duration_seconds", "One run of the model, for one batch.", labels=MODEL
        )
        rows = HistogramMetricFamily("modelserver_batch_rows", "Rows that a run answered together.", labels=MODEL)
        for key, meter in self._models.items():
            in_flight.add_metric(key, meter.in_flight)
            queued.add_metric(key, meter.queue_seconds.buckets(), meter.queue_seconds.total)
            runs.add_metric(key, meter.run_seconds.buckets(), meter.run_seconds.total)
            rows.add_metric(key, meter.rows.buckets(), meter.rows.total)
        yield from (in_flight, queued, runs, rows)

    def _of_loading(self) -> Iterator[Metric]:
        load = GaugeMetricFamily("modelserver_model_load_seconds", "What loading the model took.", labels=MODEL)
        warm_up = GaugeMetricFamily(
            "modelserver_model_warm_up_seconds", "What the first run of the model took.", labels=MODEL
        )
        for key, (load_s, warm_up_s) in self._load_seconds.items():
            load.add_metric(key, load_s)
            warm_up.add_metric(key, warm_up_s)
        yield from (load, warm_up)
