"""One way to sign in: none is too few, and of two nobody would know which is meant."""

from __future__ import annotations

from collections.abc import Sequence

from modelfleet.core.inventory.member import Auth, Unusable


def only(ways: Sequence[Auth]) -> Auth:
    """Return the only way that a description gives."""
    match ways:
        case [way]:
            return way
        case []:
            raise Unusable(
                "CredentialsMissing", "No way to sign in is given: write a token or a client certificate."
            )
    raise Unusable("CredentialsAmbiguous", "There is more than one way to sign in: leave all but one out.")
