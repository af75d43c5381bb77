"""Three clusters side by side: a hub and two members, of which one has no node."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.clusters import LocalCluster, down


@pytest.fixture(scope="session")
def clusters() -> Iterator[list[LocalCluster]]:
    """The hub, the member in its region and the member in another, which runs no pods."""
    found = [LocalCluster(f"test-{role}-{os.getpid()}") for role in ("hub", "west", "north")]
    hub, west, north = found
    try:
        with ThreadPoolExecutor() as pool:
            starts = [pool.submit(hub.up), pool.submit(west.up), pool.submit(north.up, "northeurope", node=False)]
        for start in starts:
            start.result()
        yield found
    finally:
        down(found)


@pytest.fixture(scope="session")
def hub(clusters: list[LocalCluster]) -> LocalCluster:
    return clusters[0]


@pytest.fixture(scope="session")
def west(clusters: list[LocalCluster]) -> LocalCluster:
    return clusters[1]


@pytest.fixture(scope="session")
def north(clusters: list[LocalCluster]) -> LocalCluster:
    return clusters[2]
