"""Registries, which are found by discovery, and give a signed address for each model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.support.azure.asked import Answer, Asked, error
from tests.support.azure.workspaces import NO_SUCH, PROVIDER, SYSTEM_DATA, Environment, Model

DISCOVERY = "eastus.api.azureml.ms"
REGION = "cert-westeurope.experiments.azureml.net"
SUBSCRIPTION = "99999999-9999-9999-9999-999999999999"


@dataclass
class Registry:
    """A registry, whose models lie in a container of each of `accounts`: the service names now one, now another.

    `sas` signs the address of a container in an account; without it there are no signed addresses.
    """

    name: str
    accounts: tuple[str, ...]
    sas: Callable[..., str] | None
    models: list[Model] = field(default_factory=list)
    environments: list[Environment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._turn = count()

    @property
    def path(self) -> str:
        """Its path at its region's resource provider."""
        group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-{self.name}"
        return f"/mferp/managementfrontend{group}/{PROVIDER}/registries/{self.name}"

    def discovered(self) -> Answer:
        """Where it is."""
        return Answer(
            200,
            {
                "registryId": "88888888-8888-8888-8888-888888888888",
                "registryName": self.name,
                "tenantId": "11111111-1111-1111-1111-111111111111",
                "primaryRegion": "westeurope",
                "regions": ["westeurope"],
                "subscriptionId": SUBSCRIPTION,
                "resourceGroup": f"rg-{self.name}",
                "workspaceName": None,
                "primaryRegionResourceProviderUri": f"https://{REGION}/",
                "registryFqdns": {},
            },
        )

    def answer(self, asked: Asked, path: str) -> Answer:
        """The answer to a request for `path`, which is within the registry."""
        kind, _, rest = path.strip("/").partition("/")
        if not (match := re.fullmatch(r"(?P<name>[^/]+)/versions(/(?P<version>[^/]+))?", rest)):
            return error(404, "InvalidResourceType", f"there is nothing at {path}")
        assets: list[Any] = [*self.environments] if kind == "environments" else [*self.models]
        found = [asset for asset in reversed(assets) if asset.name == match["name"]]
        if match["version"] is None:
            return Answer(200, {"value": [self._told("models", model) for model in found[:1]]})
        asset = next((asset for asset in found if asset.version == match["version"]), None)
        if not asset:
            return NO_SUCH
        return self._data_reference(asked) if kind == "datarefs" else Answer(200, self._told(kind, asset))

    def _told(self, kind: str, asset: Any) -> dict[str, Any]:
        account = self.accounts[next(self._turn) % len(self.accounts)]
        properties = asset.properties()
        if kind == "models":
            properties["modelUri"] = f"https://{account}.blob.core.windows.net/{asset.uri}"
        return {
            "id": f"azureml://registries/{self.name}/{kind}/{asset.name}/versions/{asset.version}",
            "name": asset.name,
            "type": kind,
            "properties": properties,
            "systemData": SYSTEM_DATA,
        }

    def _data_reference(self, asked: Asked) -> Answer:
        uri = json.loads(asked.body)["blobUri"]
        container, account, name = re.fullmatch(r"(https://([^/.]+)[^/]+/([^/]+))/.*", uri).groups()  # type: ignore[union-attr]
        signed = {"sasUri": f"{container}?{self.sas(name, account=account)}", "wasbsUri": None} if self.sas else {}
        credential = {"credentialType": "SAS" if self.sas else "NoCredentials", **signed}
        reference = {"blobUri": uri, "storageAccountArmId": "/storage", "credential": credential}
        return Answer(200, {"blobReferenceForConsumption": reference})
