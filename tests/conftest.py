"""Options of the whole suite."""

import pytest
from hypothesis import settings

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew; review the diff")


# These share clusters and need the machine's time for themselves; all other tests may run beside them.
OF_CLUSTERS = ("tests/e2e/", "tests/integration/")
APART_FROM_CLUSTERS = tuple(f"tests/integration/{name}/" for name in ("azure", "fetch", "server"))


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes, all tests that use clusters are for one of them, in their order."""
    for item in items:
        if item.nodeid.startswith(OF_CLUSTERS) and not item.nodeid.startswith(APART_FROM_CLUSTERS):
            item.add_marker(pytest.mark.xdist_group("clusters"))
