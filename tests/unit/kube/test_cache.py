"""The cache never goes back in time, and tells each change once."""

from typing import Any

import pytest

from modelfleet.kube.reflector import Cache, without_managed_fields
from tests.unit.kube.faulty import config_map

Told = list[tuple[str, str, bool]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def cache(told: Told) -> Cache:
    def tell(body: dict[str, Any], deleted: bool) -> None:
        told.append((body["metadata"]["name"], body["metadata"]["resourceVersion"], deleted))

    return Cache(
        index=lambda body: body["metadata"].get("labels", {}).get("owner"),
        trim=without_managed_fields,
        on_change=tell,
    )


def owned(name: str, version: int, owner: str) -> dict[str, Any]:
    return config_map(name, version, labels={"owner": owner})


def test_what_was_seen_is_found_by_name_and_by_index(cache: Cache, told: Told) -> None:
    cache.saw(owned("a", 1, "x"))
    cache.saw(owned("b", 2, "x"))
    cache.saw(config_map("c", 3))
    assert cache.get("ns", "a") == owned("a", 1, "x")
    assert [body["metadata"]["name"] for body in cache.indexed("x")] == ["a", "b"]
    assert cache.indexed("y") == []
    assert cache.get("ns", "z") is None
    assert (len(cache), len(cache.names())) == (3, 3)
    assert told == [("a", "1", False), ("b", "2", False), ("c", "3", False)]


def test_an_older_version_or_the_same_is_no_news(cache: Cache, told: Told) -> None:
    cache.saw(config_map("a", 10))
    cache.saw(config_map("a", 9))
    cache.saw(config_map("a", 10))
    assert told == [("a", "10", False)]


def test_an_own_write_is_read_back_at_once_and_its_echo_is_no_news(cache: Cache, told: Told) -> None:
    cache.put(owned("a", 5, "x"))
    cache.saw(owned("a", 4, "x"))
    cache.saw(owned("a", 5, "x"))
    assert cache.indexed("x") == [owned("a", 5, "x")]
    assert told == []


def test_an_answer_that_comes_late_does_not_undo_a_later_event(cache: Cache) -> None:
    cache.saw(config_map("a", 7))
    cache.put(config_map("a", 6))
    assert cache.get("ns", "a") == config_map("a", 7)


def test_a_deletion_is_told_once(cache: Cache, told: Told) -> None:
    cache.saw(config_map("a", 1))
    cache.saw_deleted(config_map("a", 2))
    cache.saw_deleted(config_map("a", 2))
    assert (cache.get("ns", "a"), told[1:]) == (None, [("a", "1", True)])


def test_the_deletion_of_an_earlier_object_does_not_hit_the_later_one_of_its_name(cache: Cache) -> None:
    cache.put(config_map("a", 9))
    cache.saw_deleted(config_map("a", 8))
    assert cache.get("ns", "a") is not None


def test_a_listing_deletes_what_it_does_not_have(cache: Cache, told: Told) -> None:
    cache.saw(owned("a", 1, "x"))
    cache.saw(owned("b", 2, "x"))
    cache.saw_all([("ns", "b")], 5)
    assert cache.indexed("x") == [owned("b", 2, "x")]
    assert told[2:] == [("a", "1", True)]


def test_a_listing_knows_nothing_of_what_was_written_after_it(cache: Cache) -> None:
    cache.put(config_map("a", 6))
    cache.saw_all([], 5)
    assert cache.get("ns", "a") is not None


def test_an_own_deletion_is_seen_at_once_and_is_no_news(cache: Cache, told: Told) -> None:
    cache.saw(owned("a", 1, "x"))
    cache.forget(owned("a", 1, "x"))
    cache.saw_deleted(owned("a", 2, "x"))
    assert (cache.get("ns", "a"), cache.indexed("x"), told[1:]) == (None, [], [])


def test_forgetting_an_object_does_not_forget_another_of_its_name(cache: Cache) -> None:
    cache.saw(config_map("a", 3, uid="second"))
    cache.forget(config_map("a", 1, uid="first"))
    cache.forget(config_map("unknown", 1))
    assert cache.get("ns", "a") is not None


def test_the_old_owner_hears_that_an_object_is_no_longer_its_own(cache: Cache, told: Told) -> None:
    cache.saw(owned("a", 1, "x"))
    cache.saw(owned("a", 2, "y"))
    assert (cache.indexed("x"), cache.indexed("y")) == ([], [owned("a", 2, "y")])
    assert told[1:] == [("a", "1", True), ("a", "2", False)]


def test_what_nobody_reads_is_not_kept(cache: Cache) -> None:
    cache.saw(config_map("a", 1, managedFields=[{"manager": "m"}]))
    assert cache.get("ns", "a") == config_map("a", 1)
