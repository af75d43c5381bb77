"""Counters: what the servers in pods have answered, read from their own metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from math import inf

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

FAMILIES = {"modelserver_requests", "modelserver_request_duration_seconds"}
ANSWERS = "modelserver_requests_total"
BUCKETS = "modelserver_request_duration_seconds_bucket"
COMPARED = "modelserver_mirror_answers_total"
NOT_OF_USERS = frozenset({"handler", "mirror", "smoke"})
"""Protocols that users do not speak: what a handler asks the models of its own pod is part of a request that is
counted already, and the others are copies and samples.
"""
DIFFERS = "differs"
TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True)
class Counters:
    """What a pod's server has counted since it started: requests that tell something about the model, those of
    them that failed, and those that took longer than the bound; and answers that were compared with those of a
    canary, and the ones that differed.
    """

    requests: int = 0
    errors: int = 0
    slow: int = 0
    compared: int = 0
    differing: int = 0


NOTHING = Counters()


def read_counters(text: str, slower_than_s: float | None) -> Counters:
    """Return what the metrics of a server say; raises ValueError where the text is not that.

    The bound is rounded up to that of a bucket, so that nobody is failed for a request that kept it; beyond the
    last bucket (30 s) nothing is slow. Durations are those of all requests, whatever the answer: clients' mistakes
    are among the slow ones, which may thus be more than ``requests``, but never in what ``since`` returns.
    """
    try:
        samples = _samples(text)
        answers = [(int(s.labels["code"]), _whole(s.value)) for s in samples if s.name == ANSWERS]
        slow = 0 if slower_than_s is None else _slow((s for s in samples if s.name == BUCKETS), slower_than_s)
        agreements = [(s.labels["agreement"], _whole(s.value)) for s in samples if s.name == COMPARED]
    except (ValueError, LookupError) as error:
        raise ValueError("The text is not the metrics of a model server.") from error
    errors = sum(count for code, count in answers if _is_error(code))
    return Counters(
        requests=errors + sum(count for code, count in answers if _is_success(code)),
        errors=errors,
        slow=slow,
        compared=sum(count for _, count in agreements),
        differing=sum(count for agreement, count in agreements if agreement == DIFFERS),
    )


def since(now: Mapping[str, Counters], baseline: Mapping[str, Counters]) -> Counters:
    """Return what pods, by uid, have counted since a baseline, taken together.

    A pod that the baseline does not know has counted since then from zero, and so has one whose counters went
    back, for its server has been started again. A pod that is gone counts nothing.
    """
    grown = [_growth(counters, baseline.get(pod, NOTHING)) for pod, counters in now.items()]
    return Counters(*map(sum, zip(*map(astuple, grown), strict=True)))


def _growth(now: Counters, before: Counters) -> Counters:
    differences = [new - old for new, old in zip(astuple(now), astuple(before), strict=True)]
    found = now if min(differences) < 0 else Counters(*differences)
    return replace(found, slow=min(found.requests, found.slow))


def _samples(text: str) -> list[Sample]:
    """Return what is said of requests from outside; a server that has met none at least names the metrics."""
    families = list(text_string_to_metric_families(text))
    if not FAMILIES.issubset(family.name for family in families):
        raise ValueError("metrics are missing")
    samples = (sample for family in families for sample in family.samples)
    of_users = (s for s in samples if s.labels.get("protocol") not in NOT_OF_USERS)
    return [s for s in of_users if s.name in (ANSWERS, BUCKETS, COMPARED)]


def _is_success(code: int) -> bool:
    return 200 <= code < 400


def _is_error(code: int) -> bool:
    """Return whether the server is to blame. gRPC is counted by the same codes: 503 is its UNAVAILABLE.

    Even 501 counts: a new model may have outputs that a protocol cannot express. The server itself never says 429,
    but a handler may, and means that there is too much to do. Other 4xx tell of clients, not of the model.
    """
    return code >= 500 or code == TOO_MANY_REQUESTS


def _slow(buckets: Iterable[Sample], bound_s: float) -> int:
    series: defaultdict[tuple[str, ...], dict[float, float]] = defaultdict(dict)
    for sample in buckets:
        key = tuple(sample.labels[name] for name in ("model", "version", "protocol"))
        series[key][float(sample.labels["le"])] = sample.value
    return sum(_whole(within[inf] - within[_rounded_up(bound_s, within)]) for within in series.values())


def _rounded_up(bound_s: float, bounds: Iterable[float]) -> float:
    return min(bound for bound in bounds if bound >= bound_s)


def _whole(value: float) -> int:
    if value < 0 or not float(value).is_integer():
        raise ValueError(f"{value} is no count")
    return int(value)
