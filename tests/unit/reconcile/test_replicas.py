"""Replicas of a registry: which of them answers makes no difference, unless their files are known to be others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelfleet.core.api import ModelDeployment
from modelfleet.core.observed import Observed
from modelfleet.core.registered import Resolved
from modelfleet.core.revision import revision_of
from modelfleet.reconcile.resolve import resolve
from tests.support.objects import container, ended, manifests, pod, reported
from tests.unit.reconcile.test_resolve import (
    DOWN,
    HOME,
    PENDING,
    REGISTRY,
    Table,
    address,
    after,
    claims,
    failed,
    found,
    known,
    recorded,
)

MINE = (("config.json", "a" * 32), ("model.onnx", "b" * 32))
CHANGED = (("config.json", "a" * 32), ("model.onnx", "c" * 32))
THE_SAME = [MINE, (), MINE[:1], (*MINE, ("more.bin", "d" * 32))]
LISTING = "ab" * 32
"""That of `found`."""


def replica(version: str, md5: Any = (), listing: str = LISTING) -> dict[str, Any]:
    """The answers of a replica."""
    resolution = replace(found(version, place=REGISTRY), md5=md5)
    signed = replace(address(version), listing=listing, md5=md5)
    return {
        "latest claims": known(version),
        f"claims {version}": known(resolution),
        f"signed claims {version}": known(signed),
    }


def revision(resolved: Resolved) -> str:
    assert resolved.problem is None
    return revision_of(resolved.owner.spec)


def served(md5: Any = MINE, version: str = "3") -> ModelDeployment:
    return recorded(claims(version, REGISTRY), replica("3", md5))


def overwritten(of: ModelDeployment) -> Observed:
    """A pod that found other names or sizes than those of the record."""
    wanted = resolve(Table(replica("3", MINE)), of, Observed()).owner
    status = container("fetch", ended(5, reported("ModelChanged", "The files are others.")))
    return Observed(pods=(pod(wanted, initContainerStatuses=[status]),))


@pytest.mark.parametrize("version", ["3", "latest"])
@pytest.mark.parametrize("md5", THE_SAME)
def test_an_address_in_another_replica_is_no_change(version: str, md5: Any) -> None:
    of = served(version=version)
    resolved = resolve(Table(replica("3", md5)), of, Observed())
    assert revision(resolved) == of.status["revision"]
    assert resolved.models["claims"].md5 == MINE
    assert resolved.signed == {"claims": replace(address("3"), listing=LISTING, md5=md5)}


@pytest.mark.parametrize("version", ["3", "latest"])
def test_a_replica_with_other_contents_is_a_revision_of_its_own(version: str) -> None:
    of, table = served(version=version), Table(replica("3", CHANGED))
    resolved = resolve(table, of, Observed())
    assert revision(resolved) != of.status["revision"]
    assert (resolved.models["claims"].md5, resolved.models["claims"].listing) == (CHANGED, LISTING)
    again = resolve(table, after(resolved, of), Observed())
    assert (revision(again), again.models) == (revision(resolved), resolved.models)


def test_so_it_is_where_the_first_two_answers_come_from_different_replicas() -> None:
    answers = replica("3", CHANGED) | {"claims 3": replica("3", MINE)["claims 3"]}
    assert resolve(Table(answers), claims(place=REGISTRY), Observed()).models["claims"].md5 == CHANGED


def test_files_of_other_names_or_sizes_are_for_the_pods_to_find() -> None:
    """Their replica may still be filling; who runs is left alone until a pod is refused what it wants."""
    of = served()
    resolved = resolve(Table(replica("3", CHANGED, listing="cd" * 32)), of, Observed())
    assert revision(resolved) == of.status["revision"]


@pytest.mark.parametrize(("md5", "is_same"), [*((md5, True) for md5 in THE_SAME), (CHANGED, False)])
def test_what_is_resolved_again_is_compared_with_the_record(md5: Any, is_same: bool) -> None:
    of = served()
    resolved = resolve(Table(replica("3", md5)), of, overwritten(of))
    assert (revision(resolved) == of.status["revision"]) == is_same


def test_under_latest_the_version_that_is_kept_is_what_its_address_opens() -> None:
    of = served(version="latest")
    before = resolve(Table(replica("3", MINE)), of, Observed())
    children = manifests(before.owner, Observed(signed=before.signed))
    answers = replica("4") | replica("3", CHANGED) | {"latest claims": known("4"), "signed claims 4": PENDING}
    resolved = resolve(Table(answers), of, Observed(children=children))
    assert (resolved.models["claims"].version, resolved.models["claims"].md5) == ("3", CHANGED)
    assert revision(resolved) != of.status["revision"]


# Revisions of pods that were started by operators which recorded neither MD5s nor names.
OLD: list[tuple[Any, str]] = [(HOME, "e1aab7e3be"), (REGISTRY, "3848573aab")]


def of_old(place: Any, expected: str) -> ModelDeployment:
    before = found("3", place=place)
    entry = {
        "name": "claims",
        "version": "3",
        "source": before.source,
        "uri": before.uri,
        "listing": f"sha256:{LISTING}",
        "sizeBytes": 1000,
        "files": 2,
    }
    return replace(claims(place=place), status={"models": [entry], "revision": expected})


@pytest.mark.parametrize(("place", "expected"), OLD)
@pytest.mark.parametrize("md5", [(), MINE, CHANGED])
def test_what_an_older_operator_has_recorded_goes_on_unchanged(place: Any, expected: str, md5: Any) -> None:
    of = of_old(place, expected)
    resolution = replace(found("3", place=place), md5=md5, onnxFiles=("model.onnx",))
    answers = {**replica("3", md5), "claims 3": known(resolution)}
    for observed in (Observed(), overwritten(of)):
        for table in (Table(answers), Table(answers | {"claims 3": failed(DOWN)})):
            resolved = resolve(table, of, observed)
            assert revision(resolved) == expected
            assert revision(resolve(table, after(resolved, of), observed)) == expected
