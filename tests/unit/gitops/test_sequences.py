"""Whatever happens in whatever order: each status that is written is understood, and offers what can be done."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.pretend_cluster import PretendCluster, cluster
from tests.unit.gitops.reading import assert_offered, assert_understood
from tests.unit.rollout.test_invariants import (
    COMMAND,
    CRASH,
    LOSS,
    MISHAP,
    POLICIES,
    POLICY,
    RUN,
    WRITE,
    Action,
    act,
    everything,
)


class Read(PretendCluster):
    """A cluster whose status is read each time that it may have been written."""

    def reconcile(self) -> None:
        super().reconcile()
        assert_understood(self.body)
        assert_offered(self.body)


def read(policy: dict[str, Any] | None) -> Read:
    made = cluster(**(policy or {}))
    return Read(made.body, made.now, requests_per_s=50, controller=made.controller, others=made.others)


@everything(examples=100)
@given(
    st.sampled_from(POLICIES),
    st.lists(st.one_of(RUN, WRITE, RUN, COMMAND, POLICY, MISHAP, LOSS, CRASH), min_size=4, max_size=14),
)
def test_every_status_on_the_way_is_understood_and_offers_what_can_be_done(
    policy: dict[str, Any] | None, actions: list[Action]
) -> None:
    c = read(policy)
    for action in [("write", "2"), *actions]:
        act(c, action)
    c.run(700)
