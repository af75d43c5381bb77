"""MD5s tell apart what a registry's names and sizes do not; one that is only missing makes no difference."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelfleet.core.api import Model, ModelDeployment, Workspace, parse
from modelfleet.core.registered import (
    RECORDED_AT_MOST,
    Blob,
    Resolution,
    Signed,
    md5_of,
    onnx_files,
    recorded,
    refusal_of,
)
from modelfleet.core.revision import revision_of
from tests.support.modeldeployments import model_deployment
from tests.support.objects import manifests, stored_owner

SHARED = Workspace(registry="shared")
SOURCE = SHARED.source_of("claims", "3")
FOUND = Resolution(SOURCE, "3", SOURCE, "ab" * 32, 1000, 2)
A, B, C = "a" * 32, "b" * 32, "c" * 32

# What is recorded, what another replica has, and whether that may be the same.
CONTENTS: dict[str, tuple[dict[str, str], dict[str, str], bool]] = {
    "neither has any": ({}, {}, True),
    "both have the same": ({"m": A, "d": B}, {"m": A, "d": B}, True),
    "the other has none": ({"m": A, "d": B}, {}, True),
    "only the other has some": ({}, {"m": A, "d": B}, True),
    "the other lacks one": ({"m": A, "d": B}, {"m": A}, True),
    "the other has one more": ({"m": A}, {"m": A, "d": B}, True),
    "each has one of another file": ({"m": A}, {"d": B}, True),
    "one file differs": ({"m": A, "d": B}, {"m": A, "d": C}, False),
    "both differ": ({"m": A, "d": B}, {"m": B, "d": A}, False),
    "one differs and one is missing": ({"m": A, "d": B}, {"m": C}, False),
    "one differs and one more is there": ({"m": A}, {"m": C, "d": B}, False),
}
each_content = pytest.mark.parametrize(("mine", "others", "is_same"), CONTENTS.values(), ids=CONTENTS.keys())

NAMES = st.text("ab/", min_size=1, max_size=3)
MD5 = st.dictionaries(NAMES, st.sampled_from([A, B]), max_size=3)
BLOBS = st.lists(
    st.builds(Blob, NAMES, st.integers(0, 3), st.just("0x8DC"), st.sampled_from(["", A, B])),
    unique_by=lambda blob: blob.name,
    max_size=40,
)


def with_md5(md5: dict[str, str], **fields: Any) -> Resolution:
    return replace(FOUND, md5=tuple(sorted(md5.items())), **fields)


def signed(md5: dict[str, str], listing: str = FOUND.listing) -> Signed:
    return Signed("https://other.blob.core.windows.net/m/", "sig=1", 9e9, listing, tuple(sorted(md5.items())))


@each_content
def test_what_is_resolved_again_has_changed_only_where_both_have_an_md5(
    mine: dict[str, str], others: dict[str, str], is_same: bool
) -> None:
    again = with_md5(others, stage="Production").since(with_md5(mine))
    assert (again.content == with_md5(mine).content) == is_same
    assert again == with_md5(mine if is_same else others, stage="Production")


@each_content
def test_a_replica_that_is_signed_for_has_changed_only_where_both_have_an_md5(
    mine: dict[str, str], others: dict[str, str], is_same: bool
) -> None:
    assert with_md5(mine).at(signed(others)) == with_md5(mine if is_same else others)


@given(MD5, MD5)
def test_whoever_is_asked_first_the_replicas_agree_or_not(some: dict[str, str], others: dict[str, str]) -> None:
    one, other = with_md5(some), with_md5(others)
    assert (one.since(other) == other) == (other.since(one) == one)
    assert one.since(one) == one.at(signed(some)) == one
    assert one.since(other).since(other) == one.since(other)


def test_md5s_of_other_files_are_not_compared() -> None:
    before, now = with_md5({"m": A}), with_md5({"m": A, "d": B})
    for other in (replace(now, listing="cd" * 32), replace(now, source=SHARED.source_of("claims", "4"))):
        assert other.since(before) == other
    assert before.at(signed({"m": B}, listing="cd" * 32)) == before


def test_an_address_that_was_signed_without_a_list_of_files_contradicts_nothing() -> None:
    found = with_md5({"m": A})
    assert found.at(Signed("https://other.blob.core.windows.net/m/", "sig=1", 9e9)) == found


@given(BLOBS.flatmap(lambda blobs: st.tuples(st.just(blobs), st.permutations(blobs))))
def test_the_order_in_which_files_are_listed_does_not_matter(both: tuple[list[Blob], list[Blob]]) -> None:
    assert md5_of(both[0]) == md5_of(iter(both[1]))


def test_of_many_files_the_largest_are_compared_and_of_empty_ones_none() -> None:
    files = [Blob(f"part-{n:02}", n, "0x8DC", A) for n in range(RECORDED_AT_MOST + 2)]
    assert [name for name, _ in md5_of(files)] == [f"part-{n:02}" for n in range(2, RECORDED_AT_MOST + 2)]
    assert md5_of(files[:3]) == (("part-01", A), ("part-02", A))


def test_which_files_are_the_largest_does_not_depend_on_which_have_an_md5() -> None:
    """Otherwise replicas would compare different files."""
    files = [Blob(f"part-{n:02}", 9, "0x8DC", A if n % 2 else "") for n in range(2 * RECORDED_AT_MOST)]
    assert len(md5_of(files)) == RECORDED_AT_MOST / 2


@given(MD5, st.lists(NAMES, unique=True, max_size=3))
def test_what_is_recorded_comes_back_in_whatever_order_it_was_kept(md5: dict[str, str], names: list[str]) -> None:
    found = with_md5(md5, onnxFiles=tuple(names))
    entry = {"name": "claims", **found.status()}
    kept = json.loads(json.dumps({**entry, "md5": dict(reversed(entry.get("md5", {}).items()))}))
    assert recorded({"models": [kept]}, Model("claims", version="3", workspace=SHARED)) == found


def served(found: Resolution) -> ModelDeployment:
    body = model_deployment()
    body["spec"] = {"model": {"name": "claims", "version": "3"}, "workspace": {"registry": "shared"}}
    of = parse(stored_owner(body))
    return replace(of, spec=replace(of.spec, models=(found.of(of.spec.models[0]),)))


def test_other_contents_are_a_revision_of_their_own_and_their_fetchers_are_told_the_same() -> None:
    before, after = served(with_md5({"m": A})), served(with_md5({"m": B}))
    assert revision_of(before.spec) != revision_of(after.spec)
    pods = [manifests(of)["Deployment", "claims"]["spec"]["template"] for of in (before, after)]
    assert pods[0]["spec"] == pods[1]["spec"]
    assert pods[0]["metadata"]["labels"] != pods[1]["metadata"]["labels"]


@pytest.mark.parametrize(("wanted", "is_refused"), [("", True), ("b.onnx", False), ("c.onnx", True)])
def test_a_record_tells_which_files_can_be_served(wanted: str, is_refused: bool) -> None:
    refusal = refusal_of(replace(FOUND, onnxFiles=("a.onnx", "b.onnx")), wanted)
    assert bool(refusal) == is_refused
    assert not refusal or refusal.message.endswith("write one of these in model.file: a.onnx, b.onnx.")


@pytest.mark.parametrize("wanted", ["", "c.onnx"])
def test_a_record_without_them_refuses_nothing(wanted: str) -> None:
    assert refusal_of(FOUND, wanted) is None


def test_too_many_files_to_choose_from_are_not_recorded() -> None:
    names = [f"{n}.onnx" for n in range(RECORDED_AT_MOST)]
    assert onnx_files([*names, "MLmodel"]) == tuple(names)
    assert onnx_files([*names, "one/more.ort"]) == ()
