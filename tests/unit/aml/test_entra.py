"""What the codes of Microsoft Entra become."""

from __future__ import annotations

import pytest

from modelfleet.aml import entra
from modelfleet.core.errors import Throttled, Unauthenticated, Unavailable

WHO = "the service principal 22222222"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Authentication failed: AADSTS7000215: Invalid client secret provided.", "7000215"),
        ("(invalid_client) AADSTS700024: … AADSTS50013", "700024"),
        ("AADSTS12", ""),
        ("AADSTS123456789", ""),
        ("XAADSTS7000215", ""),
        ("", ""),
    ],
)
def test_only_what_looks_like_a_code_is_taken(text: str, code: str) -> None:
    assert entra.code_in(text) == code


@pytest.mark.parametrize(
    ("code", "text", "class_", "reason"),
    [
        ("7000215", "", Unauthenticated, "CredentialsInvalid"),
        ("99999", "", Unauthenticated, "CredentialsInvalid"),
        ("", "", Unauthenticated, "CredentialsInvalid"),
        ("7000222", "", Unauthenticated, "CredentialsExpired"),
        ("700024", "", Unauthenticated, "ClockSkew"),
        ("50013", "outside of its valid time range", Unauthenticated, "ClockSkew"),
        ("50013", "signed by an unknown key", Unauthenticated, "CredentialsInvalid"),
        ("90055", "", Throttled, "AzureThrottled"),
        ("90033", "", Unavailable, "AzureUnavailable"),
    ],
)
def test_every_code_has_its_reason_and_is_named(code: str, text: str, class_: type, reason: str) -> None:
    error = entra.refusal(WHO, code, text)
    assert type(error) is class_
    assert error.reason == reason
    assert (f"AADSTS{code}" if code else "Entra") in str(error)
    assert "service principal 22222222" in str(error)
    assert not text or text not in str(error)
