"""What is registered in workspaces and registries, and how Azure Resource Manager tells about it.

The shapes are those of the real service, as azure-sdk-for-python has recorded them (sdk/ml/azure-ai-ml/tests).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.support.azure.asked import Answer, Asked, error

if TYPE_CHECKING:
    from collections.abc import Callable

ARM = "management.azure.com"
PROVIDER = "providers/Microsoft.MachineLearningServices"
_CONTAINERS = {
    "AzureBlob": "containerName",
    "AzureDataLakeGen2": "filesystem",
    "AzureFile": "fileShareName",
    "AzureDataLakeGen1": "storeName",
}
SYSTEM_DATA = {"createdAt": "2026-05-10T19:54:51.07058+00:00", "createdBy": "someone", "createdByType": "User"}
NO_SUCH = error(404, "UserError", "there is no such thing in the workspace")


@dataclass
class Model:
    """A version of a model; `uri` is where its files are, in one of the forms that the service uses."""

    name: str
    version: str
    uri: str
    type: str = "custom_model"
    is_archived: bool = False
    stage: str | None = None
    tags: dict[str, str] = field(default_factory=dict)

    def properties(self) -> dict[str, Any]:
        """As the service tells it."""
        return {
            "description": None,
            "tags": self.tags,
            "properties": {},
            "isArchived": self.is_archived,
            "isAnonymous": False,
            "autoDeleteSetting": None,
            "flavors": {},
            "modelType": self.type,
            "modelUri": self.uri,
            "jobName": None,
            "provisioningState": "Succeeded",
            "stage": self.stage,
            "intellectualProperty": None,
        }


@dataclass
class Datastore:
    """A container of a storage account; `secrets` is what listSecrets answers."""

    name: str
    account: str
    container: str
    credentials_type: str = "None"
    secrets: dict[str, str] = field(default_factory=dict)
    type: str = "AzureBlob"
    endpoint: str = "core.windows.net"
    protocol: str = "https"

    @property
    def is_default(self) -> bool:
        """Whether it is the workspace's own."""
        return self.name == "workspaceblobstore"

    def properties(self) -> dict[str, Any]:
        """As the service tells it."""
        return {
            "isDefault": self.is_default,
            "credentials": {"credentialsType": self.credentials_type},
            "datastoreType": self.type,
            "accountName": self.account,
            _CONTAINERS[self.type]: self.container,
            "endpoint": self.endpoint,
            "protocol": self.protocol,
            "serviceDataAccessAuthIdentity": "None",
            "description": None,
            "tags": {},
            "properties": {},
        }


@dataclass
class Environment:
    """A version of an environment; AML would have to build one that has a conda file or a Docker context."""

    name: str
    version: str
    image: str | None = None
    conda_file: str = ""
    build: dict[str, str] | None = None

    def properties(self) -> dict[str, Any]:
        """As the service tells it."""
        return {
            "description": None,
            "tags": {},
            "properties": {},
            "isArchived": False,
            "isAnonymous": False,
            "environmentType": "UserCreated",
            "image": self.image,
            "condaFile": self.conda_file,
            "build": self.build,
            "inferenceConfig": None,
            "osType": "Linux",
        }


@dataclass
class Workspace:
    """A workspace; of versions of one name, the last in the list was created last."""

    subscription: str
    group: str
    name: str
    models: list[Model] = field(default_factory=list)
    datastores: list[Datastore] = field(default_factory=list)
    environments: list[Environment] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Its name in Azure Resource Manager."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/{PROVIDER}/workspaces/{self.name}"

    def answer(self, asked: Asked, path: str) -> Answer:
        """The answer to a request for `path`, which is within the workspace."""
        for pattern, answer in self._routes().items():
            if match := re.fullmatch(pattern, f"{asked.method} {path}"):
                return answer(asked, **match.groupdict())
        return error(404, "InvalidResourceType", f"there is nothing at {path}")

    def _routes(self) -> dict[str, Callable[..., Answer]]:
        name, version = "(?P<name>[^/]+)", "(?P<version>[^/]+)"
        return {
            f"GET /models/{name}/versions/{version}": self._model,
            f"GET /models/{name}/versions": self._models,
            f"GET /environments/{name}/versions/{version}": self._environment,
            f"GET /environments/{name}/versions": self._environments,
            "GET /datastores": self._default_datastores,
            f"GET /datastores/{name}": self._datastore,
            f"POST /datastores/{name}/listSecrets": self._secrets,
        }

    def _model(self, _: Asked, name: str, version: str) -> Answer:
        return self._one("models", self.models, name, version)

    def _models(self, asked: Asked, name: str) -> Answer:
        return self._newest_first("models", self.models, asked, name)

    def _environment(self, _: Asked, name: str, version: str) -> Answer:
        return self._one("environments", self.environments, name, version)

    def _environments(self, asked: Asked, name: str) -> Answer:
        return self._newest_first("environments", self.environments, asked, name)

    def _default_datastores(self, _: Asked) -> Answer:
        return Answer(200, {"value": [self._store(found) for found in self.datastores if found.is_default]})

    def _datastore(self, _: Asked, name: str) -> Answer:
        return next((Answer(200, self._store(found)) for found in self.datastores if found.name == name), NO_SUCH)

    def _store(self, found: Datastore) -> dict[str, Any]:
        return self._told("datastores", f"/datastores/{found.name}", found.name, found.properties())

    def _secrets(self, _: Asked, name: str) -> Answer:
        return next((Answer(200, found.secrets) for found in self.datastores if found.name == name), NO_SUCH)

    def _one(self, kind: str, all_: list[Any], name: str, version: str) -> Answer:
        for found in all_:
            if (found.name, found.version) == (name, version):
                return Answer(200, self._version(kind, found))
        return NO_SUCH

    def _newest_first(self, kind: str, all_: list[Any], asked: Asked, name: str) -> Answer:
        """A page of versions; the service names a next page even where `$top` asked for no more."""
        active_only = asked.query.get("listViewType") == "ActiveOnly"
        found = [one for one in reversed(all_) if one.name == name]
        found = [one for one in found if not (active_only and getattr(one, "is_archived", False))]
        start, size = int(asked.query.get("$skipToken", 0)), int(asked.query.get("$top", 30))
        page: dict[str, Any] = {"value": [self._version(kind, one) for one in found[start : start + size]]}
        if found[start + size :]:
            kept = "&".join(f"{key}={quote(value)}" for key, value in asked.query.items() if key != "$skipToken")
            page["nextLink"] = f"https://{asked.host}{quote(asked.path)}?{kept}&$skipToken={start + size}"
        return Answer(200, page)

    def _version(self, kind: str, found: Any) -> dict[str, Any]:
        path = f"/{kind}/{found.name}/versions/{found.version}"
        return self._told(f"{kind}/versions", path, found.version, found.properties())

    def _told(self, kind: str, path: str, name: str, properties: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": f"{self.id}{path}",
            "name": name,
            "type": f"Microsoft.MachineLearningServices/workspaces/{kind}",
            "properties": properties,
            "systemData": SYSTEM_DATA,
        }
