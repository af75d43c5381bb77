"""Two descriptions of one cluster are one cluster."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from modelfleet.core.inventory.member import BearerToken, Member, Origin, Source
from modelfleet.core.inventory.same import Identified, merged


def described(source: Source, name: str = "west", region: str = "") -> Member:
    return Member(name, Origin(source, "ns", name), region, f"https://{source}.example", BearerToken("t"))


ARGOCD, CLUSTER_API = described(Source.ARGOCD), described(Source.CLUSTER_API, region="westeurope")


def test_clusters_with_different_uids_stay_apart_whatever_they_are_called() -> None:
    assert merged([("1", ARGOCD), ("2", CLUSTER_API)]) == [Identified("1", ARGOCD), Identified("2", CLUSTER_API)]


def test_the_first_description_of_a_cluster_is_used() -> None:
    assert merged([("1", CLUSTER_API), ("1", ARGOCD)]) == [Identified("1", CLUSTER_API, (ARGOCD,))]


def test_a_region_that_only_another_description_names_is_believed() -> None:
    (found,) = merged([("1", ARGOCD), ("1", CLUSTER_API)])
    assert found == Identified("1", replace(ARGOCD, region="westeurope"), (CLUSTER_API,))


@given(st.lists(st.tuples(st.sampled_from("123"), st.sampled_from([ARGOCD, CLUSTER_API]))))
def test_no_description_is_lost_and_no_cluster_is_there_twice(found: list[tuple[str, Member]]) -> None:
    clusters = merged(found)
    assert [cluster.uid for cluster in clusters] == list(dict.fromkeys(uid for uid, _ in found))
    assert sum(1 + len(cluster.others) for cluster in clusters) == len(found)
