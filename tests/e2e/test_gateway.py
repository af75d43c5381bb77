"""Behind a real Gateway a version gets exactly the share of the requests that was asked for."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e import conftest
from tests.e2e.conftest import STORAGE, Users, local, users
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import (
    Manifest,
    apply,
    condition,
    model_deployment,
    read,
    ready_reason,
    status_of,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

REQUESTS = 5000
POINTS = 2
ROUGHLY = 5
RATE_PER_S = 100
GATEWAY = {"name": "public", "namespace": "gateways"}


@pytest.fixture(scope="module")
def address(cluster: Path) -> Iterator[str]:
    """The URL of the Gateway `public`."""
    yield local("gateway", "up", conftest.CLUSTER).strip()
    local("gateway", "down", conftest.CLUSTER)


def claims(kubectl: Kubectl, version: str, path: str = "", **spec: Any) -> Manifest:
    """A version behind the Gateway, under a host name of the test's own."""
    rollout = {"canary": {"steps": [10, 50, 100], "pause": "10m"}, "progressDeadline": "2m"}
    body = model_deployment(uri=f"{STORAGE}/claims/{version}/{path}", version=version, replicas=4, rollout=rollout)
    body["spec"] |= {"gateway": {"parentRef": GATEWAY, "hostnames": [host(kubectl)]}, **spec}
    return body


def host(kubectl: Kubectl) -> str:
    return f"{kubectl.namespace}.example.com"


def serve(kubectl: Kubectl, body: Manifest) -> None:
    apply(kubectl, body)
    kubectl("wait", "--for=condition=Ready", "mfd/claims", "--timeout=300s")


def visitors(kubectl: Kubectl, address: str, rate_per_s: float) -> Any:
    """Users that come by the Gateway."""
    return users(kubectl, rate_per_s, url=address, host=host(kubectl))


@asynccontextmanager
async def unnoticed(kubectl: Kubectl, address: str) -> AsyncIterator[None]:
    """No request fails while the block changes something."""
    async with visitors(kubectl, address, RATE_PER_S) as crowd:
        yield
    assert crowd.failures == 0, list(map(str, crowd.outcomes))


async def runs(kubectl: Kubectl, step: int) -> Manifest:
    """The rollout, once the step has begun for users."""

    def look() -> Manifest:
        status = status_of(kubectl)
        found: Manifest = status.get("rollout", {})
        assert (found.get("step"), condition(status, "Ready")["reason"]) == (step, "CanaryRunning"), status
        return found

    return await asyncio.to_thread(lambda: eventually(look, within_s=120))


async def takes_effect(kubectl: Kubectl, address: str, version: str, percent: int) -> None:
    """Return once the answers show the share; a Gateway says that it takes a route a moment before it does."""
    async with asyncio.timeout(30):
        while abs(await share_of(kubectl, address, version, requests=100) - percent) > ROUGHLY:
            pass


async def share_of(kubectl: Kubectl, address: str, version: str, requests: int = REQUESTS) -> float:
    """Which percentage of that many next requests, or a few more, the version answers.

    Nobody else may come meanwhile: the Gateway's turns are exact over all requests, not over those of a crowd.
    """
    async with visitors(kubectl, address, RATE_PER_S) as crowd:
        await asyncio.sleep(1.1 * requests / (2 * RATE_PER_S))
    answered = answers(crowd)
    assert (crowd.failures, answered.total() >= requests) == (0, True), list(map(str, crowd.outcomes))
    return 100 * answered[version] / answered.total()


def status_code(kubectl: Kubectl, address: str) -> int:
    """What the Gateway answers."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=5)
    connection.request("GET", "/v2/health/ready", headers={"Host": host(kubectl)})
    return connection.getresponse().status


def answers(crowd: Users) -> Counter[str]:
    return sum((outcome.answered for outcome in crowd.outcomes), Counter[str]())


def promote(kubectl: Kubectl, rollout: Manifest) -> None:
    value = f"{rollout['revision']}:{rollout['step']}"
    kubectl("annotate", "--overwrite", "mfd/claims", f"modelfleet.dev/promote={value}")


async def test_a_version_gets_exactly_its_share_and_nobody_notices(kubectl: Kubectl, address: str) -> None:
    await asyncio.to_thread(serve, kubectl, claims(kubectl, "1"))
    onwards: Callable[[], object] = partial(apply, kubectl, claims(kubectl, "2"))
    for step, (asked, replicas) in enumerate([(10, 1), (50, 2), (100, 4)], start=1):
        async with unnoticed(kubectl, address):
            await asyncio.to_thread(onwards)
            rollout = await runs(kubectl, step)
        assert (rollout["canary"]["desiredPercent"], rollout["canary"]["replicas"]) == (asked, replicas)
        await takes_effect(kubectl, address, "2", asked)
        share = await share_of(kubectl, address, "2")
        assert abs(share - asked) <= POINTS, share
        onwards = partial(promote, kubectl, rollout)
    async with unnoticed(kubectl, address):
        await asyncio.to_thread(onwards)
        await asyncio.to_thread(kubectl, "wait", "--for=condition=Ready", "mfd/claims", "--timeout=300s")
    assert await share_of(kubectl, address, "2") == 100
    assert read(kubectl, "deployment", "claims-canary") is None


async def test_a_version_that_answers_errors_goes_back_and_reaches_no_more_than_its_share(
    kubectl: Kubectl, address: str
) -> None:
    rollout = {
        "canary": {"steps": [10], "pause": "1m"},
        "analysis": {"maxErrorRate": "1%", "minRequests": 100},
    }
    await asyncio.to_thread(serve, kubectl, claims(kubectl, "2", rollout=rollout))
    async with visitors(kubectl, address, 50) as crowd:
        await asyncio.to_thread(apply, kubectl, claims(kubectl, "3", "model.onnx", rollout=rollout))
        status = await asyncio.to_thread(ready_reason, kubectl, "RolledBack", within_s=180)
    assert [entry["reason"] for entry in status["rejected"]] == ["ErrorRateTooHigh"]
    sent = sum(outcome.sent for outcome in crowd.outcomes)
    assert 0 < crowd.failures <= 0.1 * sent, list(map(str, crowd.outcomes))
    assert crowd.versions() == {"2"}


async def test_without_its_gateway_an_endpoint_serves_and_says_what_is_missing(
    kubectl: Kubectl, address: str
) -> None:
    body = claims(kubectl, "1", gateway={"parentRef": {"name": "absent"}, "hostnames": [host(kubectl)]})
    apply(kubectl, body)
    status = await asyncio.to_thread(ready_reason, kubectl, "RouteNotAccepted", within_s=120)
    assert condition(status, "Available")["status"] == "True"
    assert f"the Gateway absent in namespace {kubectl.namespace}" in status["message"]
    async with users(kubectl, 10) as crowd:
        await asyncio.to_thread(serve, kubectl, claims(kubectl, "1"))
    assert (crowd.failures, crowd.versions()) == (0, {"1"}), list(map(str, crowd.outcomes))
    assert await asyncio.to_thread(lambda: eventually(lambda: status_code(kubectl, address) == 200))
