"""What servers have counted is read from the very text that they write, and grows whatever becomes of the pods."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelfleet.core.counters import Counters, read_counters, since
from modelserver.observe.metrics import SECONDS, Metrics

NOTHING = Counters(0, 0, 0)


class Model:
    """What the server counts requests for."""

    def __init__(self, name: str, version: str = "1") -> None:
        self.name = name
        self.version = version


CLAIMS, TEXT = Model("claims"), Model('a "quoted"\nname')


def shown(*answers: tuple[int, float], model: Model | None = CLAIMS, protocol: str = "score") -> str:
    """What a server shows that has given these answers, each a code and how many seconds it took."""
    metrics = Metrics()
    for code, seconds in answers:
        metrics.endpoint(model, protocol).answered(code, seconds, 10, 10)
    return metrics.text().decode()


def all_protocols() -> str:
    """What a server shows that has answered in every protocol, for several models and for none."""
    metrics = Metrics()
    for model in (CLAIMS, TEXT, None):
        for protocol in ("score", "v2", "grpc", "handler", "mirror", "smoke"):
            for code, seconds in ((200, 0.01), (200, 0.3), (400, 0.3), (500, 0.01)):
                metrics.endpoint(model, protocol).answered(code, seconds, 10, 10)
    return metrics.text().decode()


# The requests come first; what the process itself measures is different each time.
ALL = all_protocols().partition("# HELP modelserver_request_bytes")[0]
ALL = ALL[ALL.index("# HELP modelserver") :]


def test_a_server_that_nobody_has_asked_has_counted_nothing() -> None:
    assert read_counters(shown(), 0.25) == NOTHING


@pytest.mark.parametrize("code", [200, 204, 302])
def test_a_success_is_a_request(code: int) -> None:
    assert read_counters(shown((code, 0.01)), None) == Counters(1, 0, 0)


@pytest.mark.parametrize("code", [429, 500, 501, 502, 503, 504, 507])
def test_an_answer_that_the_server_is_to_blame_for_is_a_request_and_an_error(code: int) -> None:
    assert read_counters(shown((code, 0.01)), None) == Counters(1, 1, 0)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 408, 413, 422, 431])
def test_the_mistake_of_a_client_tells_nothing_about_the_model(code: int) -> None:
    assert read_counters(shown((code, 0.01)), None) == NOTHING


def test_all_models_and_protocols_count_but_not_what_a_handler_asks_its_models() -> None:
    models, protocols = 3, 3
    assert read_counters(ALL, 0.25) == Counters(
        requests=3 * models * protocols, errors=models * protocols, slow=2 * models * protocols
    )


@pytest.mark.parametrize(
    ("bound_s", "slow"),
    [
        (None, 0),
        (0.1, 3),
        (0.09, 3),  # 0.1 is the next bucket
        (0.11, 2),  # 0.25 is
        (0.25, 2),
        (0.26, 1),
        (1e-9, 4),
        (30.0, 1),
        (31.0, 0),  # beyond all buckets nobody can tell
    ],
)
def test_a_bound_between_two_buckets_is_rounded_up(bound_s: float | None, slow: int) -> None:
    assert read_counters(shown((200, 0.1), (200, 0.25), (200, 0.26), (200, 31.0)), bound_s).slow == slow


@pytest.mark.parametrize("bound_s", SECONDS)
def test_a_request_that_took_exactly_as_long_as_a_bucket_kept_the_bound(bound_s: float) -> None:
    assert read_counters(shown((200, bound_s), (200, bound_s * 1.001)), bound_s).slow == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "Healthy",
        "{}",
        "<html>sign in</html>",
        "up 1\n",
        "# TYPE modelserver_requests_total counter\n",
        shown((200, 0.1)).replace('code="200"', 'code="OK"'),
        shown((200, 0.1)).replace('code="200",', ""),
        shown((200, 0.1)).replace('le="+Inf"', 'le="60.0"'),
        shown((200, 0.1)).replace('version="1"} 1.0', 'version="1"} 0.5'),
        shown((200, 0.1)).replace('version="1"} 1.0', 'version="1"} -1.0'),
        shown((200, 0.1)).replace('version="1"} 1.0', 'version="1"} NaN'),
        shown((200, 0.1)).replace('version="1"} 1.0', 'version="1"} +Inf'),
    ],
)
def test_a_text_that_is_not_a_servers_metrics_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^The text is not the metrics of a model server\.$"):
        read_counters(text, 0.25)


@settings(deadline=None)
@given(st.integers(0, len(ALL)), st.integers(0, 5), st.text(max_size=10) | st.sampled_from('"{}=,# \\'))
def test_a_broken_text_is_refused_or_makes_sense(start: int, left_out: int, put_in: str) -> None:
    broken = ALL[:start] + put_in + ALL[start + left_out :]
    try:
        found = read_counters(broken, 0.25)
    except ValueError:
        return
    assert 0 <= found.errors <= found.requests
    assert found.slow >= 0


@pytest.mark.parametrize(
    ("now", "baseline", "grown"),
    [
        pytest.param({}, {}, NOTHING, id="no pods"),
        pytest.param({"a": Counters(9, 3, 2)}, {"a": Counters(4, 1, 0)}, Counters(5, 2, 2), id="a pod that stays"),
        pytest.param({"a": Counters(9, 3, 2)}, {}, Counters(9, 3, 2), id="a new pod"),
        pytest.param({}, {"a": Counters(9, 3, 2)}, NOTHING, id="a pod that is gone"),
        pytest.param({"a": Counters(3, 1, 1)}, {"a": Counters(9, 3, 2)}, Counters(3, 1, 1), id="a restart"),
        pytest.param({"a": Counters(9, 0, 0)}, {"a": Counters(9, 3, 2)}, Counters(9, 0, 0), id="a busy restart"),
        pytest.param(
            {"a": Counters(12, 0, 0), "b": Counters(1, 1, 1), "new": Counters(5, 0, 5)},
            {"a": Counters(10, 0, 0), "b": Counters(100, 0, 0), "gone": Counters(50, 50, 50)},
            Counters(8, 1, 6),
            id="all of it together",
        ),
        pytest.param({"a": Counters(2, 0, 9)}, {"a": Counters(0, 0, 1)}, Counters(2, 0, 2), id="slow mistakes"),
        pytest.param({"a": Counters(3, 0, 5)}, {"a": Counters(1, 0, 5)}, Counters(2, 0, 0), id="earlier mistakes"),
    ],
)
def test_growth_is_summed_over_the_pods_that_are_there(
    now: dict[str, Counters], baseline: dict[str, Counters], grown: Counters
) -> None:
    assert since(now, baseline) == grown


counts = st.integers(0, 50)
counters = st.builds(lambda good, bad, slow: Counters(good + bad, bad, slow), counts, counts, counts)
pods = st.dictionaries(st.sampled_from("abc"), counters)


@given(pods, pods)
def test_what_has_grown_is_never_less_than_nothing_nor_more_than_all(
    now: dict[str, Counters], baseline: dict[str, Counters]
) -> None:
    grown = since(now, baseline)
    assert 0 <= grown.requests <= sum(pod.requests for pod in now.values())
    assert grown.errors >= 0
    assert 0 <= grown.slow <= grown.requests
