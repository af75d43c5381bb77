"""An administrator's way into a member, and what is made there for the hub."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from modelfleet.core.errors import Unauthenticated, Unavailable
from modelfleet.core.inventory import access
from modelfleet.core.inventory.access import Way
from modelfleet.core.manifest import dig
from modelfleet.kube import auth
from modelfleet.kube.client import CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS, SECRETS, KubeClient, Resource
from modelfleet.kube.wire import Object

TOKEN_S = 30.0


async def enter(kubeconfig: str, context: str) -> tuple[KubeClient, Way]:
    """A client with the rights of a kubeconfig, and the way alone; Unauthenticated when it cannot be read."""
    path = _file(kubeconfig)
    credentials = auth.Credentials(path, context or None)
    await credentials.refresh()
    way = _way(credentials.configuration)
    client, _ = await auth.enter(path, context or None)
    return client, way


def _file(given: str) -> Path:
    """Where kubectl looks, but never in a pod's own credentials: those are for the hub."""
    return Path(given or os.environ.get("KUBECONFIG", "") or "~/.kube/config").expanduser()


def _way(configuration: Any) -> Way:
    return Way(
        configuration.host,
        _authority(configuration.ssl_ca_cert),
        configuration.tls_server_name or "",
        configuration.proxy or "",
        not configuration.verify_ssl,
    )


def _authority(file: str | None) -> str:
    try:
        return base64.b64encode(Path(file).read_bytes()).decode() if file else ""
    except OSError as error:
        raise Unauthenticated(f"The certificate authority cannot be read: {error}") from error


async def grant(client: KubeClient, namespaces: Sequence[str]) -> tuple[str, list[str]]:
    """Make the hub's account with its rights in a member; its token, and which bindings it has lost.

    Writes what differs and nothing else. Unavailable where the member writes no token.
    """
    *_, account = await _apply(client, access.account())
    wanted = access.grants(namespaces)
    await _apply(client, wanted)
    lost = await _take_back(client, wanted)
    await _apply(client, [access.token()])
    return await _token(client, dig(account, "metadata", "uid")), lost


async def _apply(client: KubeClient, manifests: Iterable[Object]) -> list[Object]:
    return [await client.apply(manifest, field_manager=access.MANAGER) for manifest in manifests]


async def _take_back(client: KubeClient, wanted: Iterable[Object]) -> list[str]:
    """Remove the bindings that an earlier call has made and this one does not want."""
    kinds = (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS)
    found = [
        binding for kind in kinds for binding in (await client.list(kind, label_selector=access.SELECTOR)).items
    ]
    return [await _remove(client, binding) for binding in access.surplus(found, wanted)]


async def _remove(client: KubeClient, binding: Any) -> str:
    metadata = binding["metadata"]
    namespace, name = metadata.get("namespace"), metadata["name"]
    await client.delete(Resource.of(binding), namespace, name, uid=metadata["uid"])
    return f"{binding['kind']} {'/'.join(filter(None, (namespace, name)))}"


async def _token(client: KubeClient, account_uid: str) -> str:
    """The account's token, as soon as the member has written it."""
    only = f"metadata.name={access.TOKEN_SECRET}"
    try:
        async with asyncio.timeout(TOKEN_S):
            while True:
                changes = client.watch(
                    SECRETS, namespace=access.NAMESPACE, field_selector=only, resource_version=""
                )
                async for event in changes:
                    if event.type == "DELETED":
                        # It was that of an account before, and the member takes its time to tidy up.
                        await _apply(client, [access.token()])
                    elif token := access.token_in(event.object, account_uid):
                        return token
    except TimeoutError:
        raise Unavailable(
            f"{client.base_url} has written no token into the Secret {access.NAMESPACE}/{access.TOKEN_SECRET} "
            f"within {TOKEN_S:g} s: see whether its controller manager runs."
        ) from None
