"""Tokens of Microsoft Entra for clusters, in exchange for the token that Kubernetes gave to this pod."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modelfleet.core.errors import Unauthenticated, Unreachable
from modelfleet.core.inventory.member import Entra

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

LIMITS = {"retry_total": 1, "retry_status": 0, "connection_timeout": 5, "read_timeout": 5}
# A request that is under way when its token ends would fail.
EARLY_S = 300

_CODE = re.compile(r"\bAADSTS\d{4,8}\b")


class WorkloadIdentity:
    """Who this pod is for one cluster; asks for a token when the first request needs one, and before it ends."""

    def __init__(self, entra: Entra) -> None:
        self._entra = entra
        self._asking = asyncio.Lock()
        self._token: AccessToken | None = None

    async def authorization(self) -> str:
        """The value of the Authorization header; may raise Unauthenticated or Unreachable."""
        async with self._asking:
            if self._token is None or time.time() > self._token.expires_on - EARLY_S:
                self._token = await asyncio.to_thread(_token, self._entra)
        return f"Bearer {self._token.token}"


def _token(entra: Entra) -> AccessToken:
    client = entra.client_id or os.environ.get("AZURE_CLIENT_ID", "")
    tenant = entra.tenant_id or os.environ.get("AZURE_TENANT_ID", "")
    file = os.environ.get("AZURE_FEDERATED_TOKEN_FILE", "")
    if not (client and tenant and file):
        raise Unauthenticated(
            "There is no workload identity here, with which this cluster wants to be asked: only pods have one.",
            reason="CredentialsMissing",
        )
    # It takes most of a second to import, and most operators have no such member.
    from azure.identity import WorkloadIdentityCredential  # noqa: PLC0415

    options: dict[str, Any] = {**LIMITS, **({"authority": entra.authority} if entra.authority else {})}
    names: dict[str, Any] = {"tenant_id": tenant, "client_id": client, "token_file_path": file}
    with _border(client), WorkloadIdentityCredential(**names, **options) as credential:
        return credential.get_token(f"{entra.server_id}/.default")


@contextmanager
def _border(client: str) -> Iterator[None]:
    """Where the library's failures become ours; none of them is shown, as it may quote what was sent."""
    from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError  # noqa: PLC0415

    try:
        yield
    except ClientAuthenticationError as error:
        code = _CODE.search(str(error))
        why = f" ({code[0]})" if code else ""
        raise Unauthenticated(
            f"Microsoft Entra refuses the workload identity {client}{why}: check its client id and tenant id, and "
            "that one of its federated credentials is for the service account of this pod.",
            reason="CredentialsInvalid",
        ) from None
    except (ServiceRequestError, ServiceResponseError):
        raise Unreachable("Microsoft Entra cannot be reached.") from None
    except (OSError, ValueError):
        raise Unauthenticated(
            "The token file of the workload identity cannot be read, or its tenant is none.",
            reason="CredentialsInvalid",
        ) from None
