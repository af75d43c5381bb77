"""Options of the whole suite."""

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew; review the diff")


# These share clusters and need the machine's time for themselves; all other tests may run beside them.
OF_CLUSTERS = ("tests/e2e/", "tests/integration/")
APART_FROM_CLUSTERS = tuple(f"tests/integration/{name}/" for name in ("azure", "fetch", "server"))


class ClustersTogether(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """With several processes, all tests that use clusters are for one of them, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        is_of_clusters = nodeid.startswith(OF_CLUSTERS) and not nodeid.startswith(APART_FROM_CLUSTERS)
        return "clusters" if is_of_clusters else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ClustersTogether:
    return ClustersTogether(config, log)
