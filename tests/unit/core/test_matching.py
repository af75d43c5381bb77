"""Whether a live object holds what is wanted: too strict writes for ever, too lax never repairs."""

import copy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from modelfleet.core.matching import holds, quantity
from tests.support.objects import as_stored, manifests, owner

AMOUNTS = {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"cpu": 1, "nvidia.com/gpu": 2}}
OWNERS = {
    "a minimal one": owner(),
    "one with everything": owner(
        model={"sha256": "ab" * 32, "credentials": {"workloadIdentity": {"clientId": "c", "tenantId": "t"}}},
        replicas=0,
        resources=AMOUNTS,
        env=[
            {"name": "EMPTY", "value": ""},
            {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
            {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": 1}}},
        ],
        tolerations=[{"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}],
        affinity={"nodeAffinity": {}},
        service={"type": "LoadBalancer", "annotations": {"limits": "1000m"}},
    ),
}


@pytest.mark.parametrize("of", OWNERS.values(), ids=OWNERS.keys())
def test_what_the_api_server_stores_of_our_own_manifests_holds(of: Any) -> None:
    for key, manifest in manifests(of).items():
        assert holds(as_stored(manifest), manifest), key


@pytest.mark.parametrize(
    ("live", "desired"),
    [
        ({"a": 1, "b": 2}, {"a": 1}),
        ({}, {"a": None}),
        ({}, {"a": ""}),
        ({}, {"a": []}),
        ({}, {"a": {}}),
        ({"replicas": 0}, {"replicas": 0}),
        ({"labels": {"ours": "1", "theirs": "2"}}, {"labels": {"ours": "1"}}),
        ({"annotations": {"theirs": "2"}}, {"annotations": {}}),
        ({"env": [{"name": "THEIRS"}]}, {"env": []}),
        ([{"name": "sidecar"}, {"name": "server", "image": "a"}], [{"name": "server", "image": "a"}]),
        ([{"port": 53, "protocol": "UDP"}], [{"port": 53}]),
        ([{"port": 53, "name": "dns"}], [{"port": 53}]),
        ({"requests": {"cpu": "1"}}, {"requests": {"cpu": "1000m"}}),
        ({"limits": {"cpu": "1", "memory": "2Gi"}}, {"limits": {"cpu": 1}}),
        ({"divisor": "1"}, {"divisor": 1}),
    ],
)
def test_it_holds(live: Any, desired: Any) -> None:
    assert holds(live, desired)


@pytest.mark.parametrize(
    ("live", "desired"),
    [
        (None, {"a": 1}),
        ({}, {"a": 0}),
        ({}, {"a": False}),
        ({"a": True}, {"a": False}),
        ({"a": 1}, {"a": 0}),
        ({"a": "x"}, {"a": ""}),
        ({"a": {"b": 1}}, {"a": None}),
        ({"a": "1"}, {"a": {"b": 1}}),
        ({"a": [1, 2]}, {"a": [1]}),
        ({"a": [2, 1]}, {"a": [1, 2]}),
        ({"a": [1]}, {"a": []}),
        ([{"name": "sidecar"}], [{"name": "server"}]),
        ([{"name": "server", "image": "a"}], [{"name": "server", "image": "b"}]),
        ([{"port": 53}, {"port": 443}], [{"port": 53}]),
        ({"requests": {"cpu": "1"}}, {"requests": {"cpu": "2"}}),
        ({"requests": {}}, {"requests": {"cpu": "1"}}),
        ({"annotations": {"limits": "1"}}, {"annotations": {"limits": "1000m"}}),
    ],
)
def test_it_does_not_hold(live: Any, desired: Any) -> None:
    assert not holds(live, desired)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", "0"),
        ("100m", "0.1"),
        ("0.1", "0.1"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1E", "1000000000000000000"),
        ("1Ei", "1152921504606846976"),
        ("12E-1", "1.2"),
        ("-1n", "-0.000000001"),
        (2, "2"),
    ],
)
def test_amounts_are_compared_as_numbers(text: str | int, number: str) -> None:
    assert quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "one", "1.2.3", ".", "1 Gi", "Gi"])
def test_what_is_no_amount_stays_text(text: str) -> None:
    assert quantity(text) == text


words = st.text("abcxyz", min_size=1, max_size=4)
scalars = st.one_of(words, st.integers(0, 9), st.booleans())


def named(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    entry = st.builds(lambda name, rest: {**rest, "name": name}, words, st.dictionaries(words, items, max_size=2))
    return st.lists(entry, max_size=3, unique_by=lambda item: item["name"])


objects = st.recursive(
    st.one_of(scalars, st.just("")),
    lambda items: st.one_of(st.lists(items, max_size=3), st.dictionaries(words, items, max_size=4), named(items)),
    max_leaves=20,
)


@given(objects)
def test_everything_holds_itself(desired: Any) -> None:
    assert holds(desired, desired)


@given(objects)
def test_what_others_add_does_not_matter(desired: Any) -> None:
    assert holds(with_additions(desired), desired)


@given(objects, st.data())
def test_any_other_value_of_a_wanted_field_is_noticed(desired: Any, data: st.DataObject) -> None:
    leaves = list(leaves_of(desired))
    assume(leaves)
    *path, last = data.draw(st.sampled_from(leaves))
    live = {"": copy.deepcopy(desired)}
    holder: Any = live
    for step in path:
        holder = holder[step]
    holder[last] = data.draw(scalars.filter(lambda value: value != holder[last]))
    assert not holds(live[""], desired)


@given(objects, st.data())
def test_any_wanted_field_that_is_gone_is_noticed(desired: Any, data: st.DataObject) -> None:
    leaves = [path for path in leaves_of(desired) if isinstance(path[-1], str) and len(path) > 1]
    assume(leaves)
    *path, last = data.draw(st.sampled_from(leaves))
    live = {"": copy.deepcopy(desired)}
    holder: Any = live
    for step in path:
        holder = holder[step]
    assume(holder[last] != "")
    del holder[last]
    assert not holds(live[""], desired)


def with_additions(value: Any) -> Any:
    """The value with a field more in each mapping, and an item more in each list of named items."""
    if isinstance(value, dict):
        return {**{key: with_additions(item) for key, item in value.items()}, "theirs": "added"}
    if not isinstance(value, list):
        return value
    items = [with_additions(item) for item in value]
    if items and all(isinstance(item, dict) and "name" in item for item in items):
        return [{"name": "theirs"}, *reversed(items)]
    return items


def leaves_of(value: Any, path: tuple[str | int, ...] = ("",)) -> Iterator[tuple[str | int, ...]]:
    """The paths of everything that is neither a mapping nor a list."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves_of(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves_of(item, (*path, index))
    else:
        yield path
