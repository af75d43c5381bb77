"""Options of the whole suite."""

import os
import signal

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A shell has what it starts in the background ignore interrupts, and so would all commands that are tested.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew; review the diff")


# Each of these shares its clusters, and runs in one process.
TOGETHER = ("tests/e2e/", "tests/integration/")
LESS_URGENT = 5


class ClustersTogether(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """With several processes, tests that share clusters are for one of them, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ClustersTogether:
    return ClustersTogether(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What runs beside the end-to-end tests, which count every request, lets them go first."""
    if not item.nodeid.startswith("tests/e2e/"):
        os.setpriority(os.PRIO_PROCESS, 0, max(LESS_URGENT, os.getpriority(os.PRIO_PROCESS, 0)))
