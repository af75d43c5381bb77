"""What Microsoft Entra means when it gives no token: the codes that it is known for, and what to do about each."""

from __future__ import annotations

import re
from collections.abc import Mapping

from modelfleet.core.errors import Retryable, Throttled, Unauthenticated, Unavailable

_CODE = re.compile(r"\bAADSTS(\d{4,8})\b")

_CLOCK = frozenset({"700024", "50013"})
_SIGNATURE = "50013"
_BUSY = frozenset({"50196", "90055"})
_PASSING = frozenset({"90024", "90033", "90036"})
_EXPIRED = "7000222"

_FEDERATED = (
    "none of its federated credentials is for the issuer, subject and audience of the operator's service account"
)
_MEANINGS: Mapping[str, str] = {
    "7000215": "its secret is wrong; clientSecret has to be the value of a client secret, not its id",
    "700016": "the tenant has no application with that client id",
    "90002": "there is no such tenant",
    "900023": "there is no such tenant",
    "70021": _FEDERATED,
    "700211": _FEDERATED,
    "700212": _FEDERATED,
    "700213": _FEDERATED,
}


def code_in(text: str) -> str:
    """Return the first code of Microsoft Entra in the text of an exception, without its AADSTS, if any."""
    found = _CODE.search(text)
    return found[1] if found else ""


def refusal(identity: str, code: str, text: str) -> Retryable:
    """Return the error for a token that ``identity`` was not given; ``text`` is looked into, and never shown."""
    if code in _BUSY:
        return Throttled(_lasting(identity, code, "asks for fewer requests"), reason="AzureThrottled")
    if code in _PASSING:
        return Unavailable(_lasting(identity, code, "cannot answer now"), reason="AzureUnavailable")
    if code in _CLOCK and (code != _SIGNATURE or "time range" in text):
        return Unauthenticated(
            f"Microsoft Entra refuses the token file of {identity} (AADSTS{code}): the clocks of this cluster and "
            "of Microsoft Entra differ, or the token is too old. Check the clocks of the nodes, and that the file "
            "is renewed.",
            reason="ClockSkew",
        )
    if code == _EXPIRED:
        return Unauthenticated(
            f"The client secret of {identity} has expired (AADSTS{code}): make a new one, and write it into the "
            "Secret that workspace.credentials.secretName names.",
            reason="CredentialsExpired",
        )
    why = _MEANINGS.get(code, "check tenant id, client id and what proves them")
    label = f" (AADSTS{code})" if code else ""
    return Unauthenticated(f"Microsoft Entra refuses {identity}{label}: {why}.", reason="CredentialsInvalid")


def _lasting(identity: str, code: str, what: str) -> str:
    return f"Microsoft Entra {what} (AADSTS{code}); the operator asks again later for a token for {identity}."
