"""That no secret gets out is checked after each end-to-end test; here, that the check would see one."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.e2e.secrecy import Planted, leaks
from tests.e2e.witness import in_public
from tests.support.eventually import eventually
from tests.support.modeldeployments import apply

if TYPE_CHECKING:
    from tests.e2e.witness import Witness
    from tests.support.kubectl import Kubectl
    from tests.support.modeldeployments import Manifest

SIGNATURE = "u/1+planted/signature+ofAzure="
SAS = f"sv=2026-01-01&sr=c&sig={quote(SIGNATURE, safe='')}&se=2027-01-01"
SERVER = "localhost/modelfleet/server:dev"


@pytest.mark.parametrize(
    "text",
    [
        SIGNATURE,
        f"https://demo.blob.core.windows.net/models?{SAS}",
        f"the answer was: {quote(SIGNATURE, safe='')}",
        *(b64encode(b"x" * before + SAS.encode() + b"behind").decode() for before in range(4)),
        json.dumps({"data": {"sasToken": b64encode(SAS.encode()).decode()}}),
    ],
)
def test_a_secret_is_found_however_it_is_written(text: str) -> None:
    assert "the SAS in a log" in leaks({SAS: "the SAS"}, {"a log": f"before {text} after"})


@pytest.mark.parametrize(
    "text", [f"?{SAS}", "eyJhbGciOiJSUzI1NiJ9xx.eyJhdWQiOiJodHRwczovL20", f"AccountKey={'k' * 20}"]
)
def test_what_looks_like_a_secret_is_found_although_nobody_planted_it(text: str) -> None:
    assert leaks({}, {"a log": text})


def test_what_has_no_secret_is_not_suspected() -> None:
    harmless = "sv=2026-01-01 sig= eyJhbGciOiJSUzI1NiJ9 AccountKey=... the SAS token has expired"
    assert leaks({SAS: "the SAS"}, {"a log": harmless}) == []


def test_secrets_that_come_into_being_later_are_looked_for() -> None:
    planted, tokens = Planted(), set[str]()
    planted.flowing.append(("a token of Entra", tokens))
    tokens.add("token-that-was-just-issued")
    assert leaks(planted.names(), {"an Event": "token-that-was-just-issued"}) == ["a token of Entra in an Event"]


def test_of_a_secret_all_is_public_but_what_it_is_for() -> None:
    applied = {"kubectl.kubernetes.io/last-applied-configuration": SAS, "modelfleet.dev/digest": SIGNATURE}
    secret = {"kind": "Secret", "metadata": {"name": "aml", "annotations": applied}, "data": {"sasToken": SAS}}
    told = {"name": "aml", "annotations": {"modelfleet.dev/digest": SIGNATURE}}
    assert in_public(secret) == {"kind": "Secret", "metadata": told}
    assert in_public({**secret, "kind": "ConfigMap"}) == {**secret, "kind": "ConfigMap"}


@pytest.mark.cluster
def test_the_witness_sees_a_secret_wherever_it_gets_out(kubectl: Kubectl, witness: Witness) -> None:
    """Even from what is gone when the witness is asked."""
    secret = witness.planted.plant("the bait", uuid4().hex + uuid4().hex)
    apply(kubectl, config_map(secret), event(kubectl, secret))
    apply(kubectl, pod("logs", f"print('{secret[:32]}' + '{secret[32:]}')"))
    apply(kubectl, pod("argument", "input()", secret), pod("variable", "input()", environment=secret))
    seen = set[str]()

    def has_seen_all() -> bool:
        seen.update(witness.leaks())
        return all(any(place in leak for leak in seen) for place in places(kubectl))

    try:
        eventually(has_seen_all, within_s=60)
        assert all(leak.startswith("the bait in ") for leak in seen)
        kubectl("delete", "pods,configmaps,events", "--all", "--grace-period=0", "--force")
    finally:
        witness.leaks()
        witness.planted.forget(secret)


def places(kubectl: Kubectl) -> list[str]:
    """Where it got out, in the witness's words."""
    namespace = kubectl.namespace
    objects = [f"ConfigMap {namespace}/bait", f"Event {namespace}/bait", f"Pod {namespace}/argument"]
    processes = ["the arguments of python", "the environment of python"]
    return [*objects, *processes, f"{namespace}_logs_", "configmaps.json", "events.json", "pods.json"]


def config_map(secret: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bait"}, "data": {"bait": secret}}


def event(kubectl: Kubectl, secret: str) -> Manifest:
    about = {"kind": "ConfigMap", "name": "bait", "namespace": kubectl.namespace}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "bait"},
        "involvedObject": about,
        "message": secret,
    }


def pod(name: str, code: str, *arguments: str, environment: str = "") -> Manifest:
    """A pod of the server's image that runs a line of Python."""
    container = {
        "name": "python",
        "image": SERVER,
        "command": ["python", "-c", code, *arguments],
        "env": [{"name": "BAIT", "value": environment}],
        "stdin": True,
    }
    spec = {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
