"""What wrk's scripts print becomes a load."""

import json

import pytest

from bench.serving import wrk
from bench.serving.wrk import Load
from local.shell import Failure

TOLD = {"requests": 300, "seconds": 1.5, "p50_ms": 0.5, "p99_ms": 2.0, "refused": 0, "broken": 0}


def test_the_last_line_of_the_output_is_the_result() -> None:
    load = wrk.parse(f"Running 1s test @ http://127.0.0.1:5000\n  1 threads\n{json.dumps(TOLD)}\n")
    assert load == Load(requests=300, seconds=1.5, p50_ms=0.5, p99_ms=2.0, refused=0, broken=0)
    assert load.rate == 200


def test_refused_and_unanswered_requests_are_failures() -> None:
    assert wrk.parse(json.dumps(TOLD | {"refused": 2, "broken": 3})).failures == 5


@pytest.mark.parametrize(
    "output", ["", "unable to connect to 127.0.0.1:1 Connection refused\n", '{"requests": 1}', "7"]
)
def test_a_load_without_a_result_is_a_failure_that_says_what_was_printed(output: str) -> None:
    with pytest.raises(Failure, match=r"the load ended without a result"):
        wrk.parse(output)
