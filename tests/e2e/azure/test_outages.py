"""What fails on the way to Azure, or in it: before a model is there, and while people use it and want more pods.

Each is named where it is seen: by the operator, which asks Azure, and by the pods, which fetch the model. When it
is over, nobody has to do anything.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.azure.conftest import (
    OPERATOR,
    PROXY,
    STORAGE,
    TOKEN_FILE,
    Site,
    name_of_proxy,
    place,
    principal,
    registry,
    workspace_of,
)
from tests.e2e.conftest import users
from tests.support.azure.asked import HANGS_UP, Answer, Fault, storage_error
from tests.support.azure.tokens import LOGIN
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.kubelet import pods
from tests.support.modeldeployments import apply, condition, ready_reason, status_of
from tests.support.operator import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.modeldeployments import Manifest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

TOO_OLD = "AADSTS700024: Client assertion is not within its valid time range."
FEDERATED = Answer(401, {"error": "invalid_client", "error_description": TOO_OLD, "error_codes": [700024]})
NO = "Server failed to authenticate the request."
OUT_OF_TIME = storage_error(403, "AuthenticationFailed", NO, "Signature not valid in the specified time frame")
OLD_DATE = "Request date header too old: 'Fri, 04 Oct 2019 18:02:12 GMT'"
OLD = storage_error(403, "AuthenticationFailed", NO, OLD_DATE)
CHANGED = storage_error(412, "ConditionNotMet", "The condition specified is not met.")
ADDRESS = "jsonpath={.endpoints[0].addresses[0]}"


@contextmanager
def answering(pattern: str, answer: Answer, site: Site, _: Kubectl) -> Iterator[None]:
    """Azure answers this to whatever matches."""
    site.cloud.control.faults = [Fault(pattern, answer)]
    try:
        yield
    finally:
        site.cloud.control.faults = []


@contextmanager
def without_its_name(site: Site, system: Kubectl) -> Iterator[None]:
    """The cluster's DNS does not know the way to Azure; connections that are there already end."""
    address = system("get", f"endpointslice/{PROXY}", "-o", ADDRESS)
    system("delete", "service", PROXY)
    try:
        with answering("", HANGS_UP, site, system):
            yield
    finally:
        apply(system, *name_of_proxy(address))


@contextmanager
def without_token_file(_: Site, system: Kubectl) -> Iterator[None]:
    """There is no token where the operator looks for it."""
    look_for_token(system, f"{TOKEN_FILE}-elsewhere")
    try:
        yield
    finally:
        look_for_token(system, TOKEN_FILE)


def look_for_token(system: Kubectl, path: str) -> None:
    system("set", "env", OPERATOR, f"AZURE_FEDERATED_TOKEN_FILE={path}")
    system("rollout", "status", OPERATOR, "--timeout=300s")


@dataclass(frozen=True)
class Outage:
    """`at_start` is the reason of a model that was never there, `of_pods` that of one whose new pod fails, and
    `of_operator` that of ModelsResolved meanwhile; empty where it is not noticed.
    """

    happens: Callable[[Site, Kubectl], AbstractContextManager[None]]
    at_start: str
    words: str
    of_pods: str = ""
    of_operator: str = ""
    in_registry: bool = False


OUTAGES = {
    "no name": Outage(
        without_its_name,
        at_start="AzureUnreachable",
        of_pods="StorageUnreachable",
        of_operator="AzureUnreachable",
        words="its name cannot be resolved",
    ),
    "clocks, by Entra": Outage(
        partial(answering, LOGIN, FEDERATED),
        at_start="ClockSkew",
        of_pods="CredentialsExpired",
        of_operator="ClockSkew",
        words="AADSTS700024",
    ),
    "clocks, by storage": Outage(
        partial(answering, STORAGE, OLD),
        at_start="ClockSkew",
        of_pods="CredentialsExpired",
        words="too old",
    ),
    "signed address": Outage(
        partial(answering, STORAGE, OUT_OF_TIME),
        at_start="CredentialsExpired",
        of_pods="CredentialsExpired",
        words="expired",
        in_registry=True,
    ),
    "changed blob": Outage(
        partial(answering, rf"GET https://{STORAGE}/models/.*\.onnx", CHANGED),
        at_start="ModelChanged",
        of_pods="ModelChanged",
        words="overwritten",
    ),
    "no token file": Outage(
        without_token_file,
        at_start="TokenFileMissing",
        of_operator="TokenFileMissing",
        words=f"{TOKEN_FILE}-elsewhere",
    ),
}


@pytest.fixture(autouse=True)
def short_lived_tokens(site: Site) -> Iterator[None]:
    """So that all who have one need another one soon."""
    site.cloud.control.faults = []
    site.cloud.control.entra.lifetime_s = 20
    yield
    site.cloud.control.faults = []
    site.cloud.control.entra.lifetime_s = 3600


@pytest.mark.parametrize("name", OUTAGES)
async def test_it_is_named_harms_nobody_and_passes_by_itself(kubectl: Kubectl, site: Site, name: str) -> None:
    outage, system = OUTAGES[name], Kubectl(kubectl.kubeconfig, SYSTEM)
    with outage.happens(site, system):
        await asyncio.to_thread(apply, kubectl, principal(), model_of(outage, site, kubectl, name))
        status = await asyncio.to_thread(ready_reason, kubectl, outage.at_start, within_s=90)
        assert says(status["message"], outage.words), status["message"]
    before = await asyncio.to_thread(serving, kubectl, 2)
    async with users(kubectl) as crowd:
        with outage.happens(site, system):
            kubectl("scale", "mfd/claims", "--replicas=3")
            await asyncio.to_thread(told, kubectl, outage)
        await asyncio.to_thread(serving, kubectl, 3)
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    assert status_of(kubectl)["models"] == before["models"]


def model_of(outage: Outage, site: Site, kubectl: Kubectl, name: str) -> Manifest:
    """The newest version of a model, in a workspace that nobody has a token or a connection for."""
    site.cloud.control.entra.federated.add(f"system:serviceaccount:{kubectl.namespace}:claims")
    home: dict[str, Any] = place(workspace_of(site, f"ml-{name.replace(', ', '-').replace(' ', '-')}").name)
    if outage.in_registry:
        registry(site)
        home = {"registry": "shared", "credentials": {"secretName": "aml"}}
    spec = site.spec(workspace=home, model={"name": "claims", "version": "latest"}, replicas=2)
    about = {"name": "claims"}
    return {"apiVersion": "modelfleet.dev/v1alpha1", "kind": "ModelDeployment", "metadata": about, "spec": spec}


def told(kubectl: Kubectl, outage: Outage) -> None:
    """Wait until the status tells both what the operator and what the new pod has met."""

    def is_told() -> bool:
        status = status_of(kubectl)
        ready, resolved = (condition(status, kind) for kind in ("Ready", "ModelsResolved"))
        for found, reason in ((ready, outage.of_pods), (resolved, outage.of_operator)):
            assert not reason or (found["reason"] == reason and says(found["message"], outage.words)), status
        return True

    eventually(is_told, within_s=120)
    assert condition(status_of(kubectl), "Available")["status"] == "True"


def serving(kubectl: Kubectl, replicas: int) -> Manifest:
    """The status, once so many pods serve and nothing is wrong any more."""

    def serves() -> Manifest:
        status = status_of(kubectl)
        assert condition(status, "Ready").get("reason") == "Serving", status
        assert condition(status, "ModelsResolved").get("status") == "True", status
        assert status["replicas"] == len(pods(kubectl)) == replicas, status
        return status

    return eventually(serves, within_s=180)


def says(message: str, words: str) -> bool:
    """Whether the message has one of the words."""
    return any(word in message for word in words.split("|"))
