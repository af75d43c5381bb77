"""Under `latest`, a registry's version that goes on serving keeps an address that opens it."""

from __future__ import annotations

from dataclasses import replace

from modelfleet.core.observed import Observed
from modelfleet.reconcile.resolve import resolve
from tests.unit.reconcile.test_resolve import (
    DOWN,
    REGISTRY,
    Table,
    address,
    applied,
    claims,
    failed,
    recorded,
    serving,
    versions,
)

STATUS = recorded(claims("latest", REGISTRY), serving("3", REGISTRY)).status
FOLLOWING = replace(claims("latest", REGISTRY), status=STATUS)
UNSIGNED = serving("3", REGISTRY) | serving("4", REGISTRY) | {"signed claims 4": failed(DOWN)}


def test_the_version_before_gets_a_new_address_while_the_new_one_has_none() -> None:
    resolved = resolve(Table(UNSIGNED), FOLLOWING, applied("3"))
    assert [version for version, _ in versions(resolved)] == ["3"]
    assert resolved.signed == {"claims": address("3")}
    assert resolved.trouble
    assert resolved.problem is None


def test_without_an_address_of_either_that_is_the_problem() -> None:
    assert resolve(Table(UNSIGNED), FOLLOWING, Observed()).problem
