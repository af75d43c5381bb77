"""The cluster that a person works with: what is read and asked for, and in sentences what went wrong."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelfleet.cli.refusal import Refused
from modelfleet.core.errors import (
    Conflict,
    Forbidden,
    ModelfleetError,
    NotFound,
    Retryable,
    Unauthenticated,
    Unreachable,
)
from modelfleet.core.manifest import dig
from modelfleet.core.observed import Deployment
from modelfleet.kube.auth import enter
from modelfleet.kube.client import DEPLOYMENTS, MODEL_DEPLOYMENTS, KubeClient, Resource

FIELD_MANAGER = "modelfleet-cli"
AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A ModelDeployment as it was last seen, and what has kept it from being seen since, if anything."""

    body: dict[str, Any]
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One namespace of one cluster. What cannot be done raises Refused."""

    client: KubeClient
    namespace: str
    again_s: float = AGAIN_S

    async def get(self, name: str) -> dict[str, Any]:
        """Return a ModelDeployment."""
        with self._told("get", MODEL_DEPLOYMENTS):
            return await self._get(name)

    async def list(self, *, everywhere: bool) -> list[dict[str, Any]]:
        """Return the ModelDeployments of the namespace, or of all."""
        with self._told("list", MODEL_DEPLOYMENTS, everywhere=everywhere):
            namespace = None if everywhere else self.namespace
            return (await self.client.list(MODEL_DEPLOYMENTS, namespace=namespace)).items

    async def patch(self, name: str, patch: dict[str, Any]) -> None:
        """Change fields of a ModelDeployment."""
        with self._told("patch", MODEL_DEPLOYMENTS):
            manager = FIELD_MANAGER
            await self.client.merge(MODEL_DEPLOYMENTS, self.namespace, name, patch, field_manager=manager)

    async def deployment(self, name: str) -> Deployment | None:
        """Return a Deployment, or None where there is none."""
        with self._told("get", DEPLOYMENTS):
            manifest = await self.client.get(DEPLOYMENTS, self.namespace, name)
        return Deployment(manifest) if manifest else None

    async def versions(self, name: str) -> AsyncGenerator[Seen, None]:
        """Yield a ModelDeployment as it is, and again at each change. What passes is told and waited for."""
        seen = Seen(await self.get(name))
        yield seen
        while True:
            try:
                with self._told("watch", MODEL_DEPLOYMENTS, passes=True):
                    async for body in self._changes(name):
                        if seen.trouble or _version(body) != _version(seen.body):
                            seen = Seen(body)
                            yield seen
                    await self._get(name)  # is it still there?
            except (Retryable, Conflict) as error:
                seen = Seen(seen.body, self._sentence(error, "watch", MODEL_DEPLOYMENTS))
                yield seen
            await asyncio.sleep(self.again_s)

    async def _get(self, name: str) -> dict[str, Any]:
        if body := await self.client.get(MODEL_DEPLOYMENTS, self.namespace, name):
            return body
        raise Refused(
            f"There is no ModelDeployment {name} in the namespace {self.namespace}. "
            "To see all that there are: modelfleet status -A"
        )

    async def _changes(self, name: str) -> AsyncIterator[dict[str, Any]]:
        """Yield what is there, and the changes of it, until the server ends the stream."""
        only = f"metadata.name={name}"
        changes = self.client.watch(
            MODEL_DEPLOYMENTS, namespace=self.namespace, field_selector=only, resource_version=""
        )
        async for event in changes:
            if event.type == "DELETED":
                raise Refused(f"The ModelDeployment {name} was deleted.")
            if event.type != "BOOKMARK":
                yield event.object

    @contextmanager
    def _told(
        self, verb: str, resource: Resource, *, everywhere: bool = False, passes: bool = False
    ) -> Iterator[None]:
        """Turn failures into sentences; those that pass are left to the caller where it wants them."""
        try:
            yield
        except ModelfleetError as error:
            if passes and isinstance(error, Retryable | Conflict):
                raise
            raise Refused(self._sentence(error, verb, resource, everywhere=everywhere)) from error

    def _sentence(self, error: ModelfleetError, verb: str, resource: Resource, *, everywhere: bool = False) -> str:
        group = resource.api_version.partition("/")[0]
        place = "all namespaces" if everywhere else f"the namespace {self.namespace}"
        match error:
            case Forbidden():
                right = f"the right to {verb} {resource.plural} of {group} in {place}"
                return f"You need {right}. The API server says: {error}"
            case NotFound():
                return f"The cluster at {self.client.base_url} has no such thing; is Modelfleet installed? {error}"
            case Unreachable():
                return f"The API server at {self.client.base_url} cannot be reached: {error}"
            case Unauthenticated():
                return f"The API server at {self.client.base_url} does not accept who you are: {error}"
            case _:
                return f"The API server at {self.client.base_url} refuses: {error}"


def _version(body: dict[str, Any]) -> object:
    return dig(body, "metadata", "resourceVersion")


@asynccontextmanager
async def open_cluster(kubeconfig: str, context: str, namespace: str) -> AsyncIterator[Cluster]:
    """The cluster that a person means; each of the arguments may be empty. Raises Refused."""
    try:
        client, default = await enter(_kubeconfig(kubeconfig), context or None)
    except ModelfleetError as error:
        raise Refused(str(error)) from error
    async with client:
        yield Cluster(client, namespace or default)


def _kubeconfig(given: str) -> Path | None:
    """Return where kubectl finds its clusters: None in a pod that has nothing but its service account."""
    named = given or os.environ.get("KUBECONFIG", "")
    files = [Path(file).expanduser() for file in (named or "~/.kube/config").split(os.pathsep) if file]
    if any(file.exists() for file in files):
        return Path(os.pathsep.join(map(str, files)))
    if "KUBERNETES_SERVICE_HOST" in os.environ and not named:
        return None
    paths = ", ".join(map(str, files))
    raise Refused(f"There is no kubeconfig at {paths}: name one with --kubeconfig, or in the variable KUBECONFIG.")
