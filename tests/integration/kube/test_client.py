"""The client against a real API server: what is written is there, and each refusal has its error."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from modelfleet.core.errors import (
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    NotFound,
    Terminal,
    Unauthenticated,
    Unreachable,
)
from modelfleet.kube import auth
from modelfleet.kube.client import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    MODEL_DEPLOYMENTS,
    PODS,
    SERVICE_ACCOUNTS,
    KubeClient,
    Resource,
)
from modelfleet.kube.wire import Request
from tests.integration.kube.conftest import through
from tests.integration.kube.gate import Gate

MANAGER = "test"


def config_map(namespace: str, name: str, value: str = "v", **labels: str) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": value}}


def deployment(namespace: str, replicas: int = 1) -> dict[str, Any]:
    labels = {"app": "a"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": "a"},
        "spec": spec,
    }


def model_deployment(namespace: str) -> dict[str, Any]:
    """An object that no controller of the cluster touches."""
    return {
        "apiVersion": MODEL_DEPLOYMENTS.api_version,
        "kind": MODEL_DEPLOYMENTS.kind,
        "metadata": {"namespace": namespace, "name": "claims"},
        "spec": {"model": {"name": "claims", "uri": "https://acct.blob.core.windows.net/models/claims/3/"}},
    }


async def test_what_is_applied_is_there(kube: KubeClient, namespace: str) -> None:
    applied = await kube.apply(config_map(namespace, "a"), field_manager=MANAGER)
    assert await kube.get(CONFIG_MAPS, namespace, "a") == applied
    assert applied["metadata"]["managedFields"][0]["manager"] == MANAGER


async def test_applying_the_same_again_changes_nothing(kube: KubeClient, namespace: str) -> None:
    # Of a kind with defaults, but without a controller that would write to it meanwhile.
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"namespace": namespace, "name": "a"},
        "spec": {"podSelector": {"matchLabels": {"app": "a"}}, "ingress": [{"ports": [{"port": 80}]}]},
    }
    first = await kube.apply(policy, field_manager=MANAGER)
    assert first["spec"]["ingress"][0]["ports"] == [{"port": 80, "protocol": "TCP"}]
    second = await kube.apply(policy, field_manager=MANAGER)
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


async def test_a_field_left_out_of_the_next_apply_goes(kube: KubeClient, namespace: str) -> None:
    await kube.apply(config_map(namespace, "a", colour="red"), field_manager=MANAGER)
    applied = await kube.apply(config_map(namespace, "a"), field_manager=MANAGER)
    assert "labels" not in applied["metadata"]


async def test_a_field_of_another_manager_is_taken_by_force_only(kube: KubeClient, namespace: str) -> None:
    await kube.apply(config_map(namespace, "a", "theirs"), field_manager="other")
    with pytest.raises(Terminal, match="conflicts with") as caught:
        await kube.apply(config_map(namespace, "a", "ours"), field_manager=MANAGER, force=False)
    assert caught.value.reason == "FieldManagerConflict"
    applied = await kube.apply(config_map(namespace, "a", "ours"), field_manager=MANAGER)
    assert applied["data"]["key"] == "ours"


async def test_what_is_absent_is_none(kube: KubeClient, namespace: str) -> None:
    assert await kube.get(CONFIG_MAPS, namespace, "a") is None


async def test_creating_twice_is_a_conflict(kube: KubeClient, namespace: str) -> None:
    await kube.create(config_map(namespace, "a"))
    with pytest.raises(Conflict, match="already exists"):
        await kube.create(config_map(namespace, "a"))


async def test_replacing_what_has_changed_is_a_conflict(kube: KubeClient, namespace: str) -> None:
    first = await kube.create(config_map(namespace, "a"))
    second = await kube.replace(first | {"data": {"key": "second"}})
    with pytest.raises(Conflict, match="the object has been modified"):
        await kube.replace(first | {"data": {"key": "third"}})
    assert await kube.get(CONFIG_MAPS, namespace, "a") == second


async def test_a_status_is_written_alone_and_only_over_what_was_read(kube: KubeClient, namespace: str) -> None:
    first = await kube.create(model_deployment(namespace))
    status = {"observedGeneration": 1, "replicas": 1}
    second = await kube.replace_status(first | {"status": status, "spec": first["spec"] | {"replicas": 9}})
    assert second["status"]["observedGeneration"] == 1
    assert second["spec"] == first["spec"]
    with pytest.raises(Conflict, match="the object has been modified"):
        await kube.replace_status(first | {"status": status | {"replicas": 3}})


async def test_a_list_is_complete_in_however_many_chunks(kube: KubeClient, namespace: str) -> None:
    for number in range(7):
        await kube.create(config_map(namespace, f"a{number}", even=str(number % 2 == 0)))
    for chunk in (1, 3, 7, 500):
        listing = await kube.list(CONFIG_MAPS, namespace=namespace, label_selector="even=True", chunk=chunk)
        assert [item["metadata"]["name"] for item in listing.items] == ["a0", "a2", "a4", "a6"]
        assert {(item["apiVersion"], item["kind"]) for item in listing.items} == {("v1", "ConfigMap")}
        assert int(listing.resource_version) > 0


async def test_a_list_may_come_from_the_servers_memory(kube: KubeClient, namespace: str) -> None:
    listing = await kube.list(PODS, namespace=namespace, resource_version="0")
    assert listing.items == []


async def test_a_deletion_hits_only_the_object_that_is_meant(kube: KubeClient, namespace: str) -> None:
    uid = (await kube.create(config_map(namespace, "a")))["metadata"]["uid"]
    with pytest.raises(Conflict, match="UID in the precondition"):
        await kube.delete(CONFIG_MAPS, namespace, "a", uid="another")
    await kube.delete(CONFIG_MAPS, namespace, "a", uid=uid)
    assert await kube.get(CONFIG_MAPS, namespace, "a") is None
    await kube.delete(CONFIG_MAPS, namespace, "a", uid=uid)


async def test_a_watch_tells_each_change_in_order(kube: KubeClient, namespace: str) -> None:
    start = (await kube.list(CONFIG_MAPS, namespace=namespace)).resource_version
    uid = (await kube.create(config_map(namespace, "a")))["metadata"]["uid"]
    await kube.apply(config_map(namespace, "a", "w"), field_manager=MANAGER)
    await kube.delete(CONFIG_MAPS, namespace, "a", uid=uid)
    watch = kube.watch(CONFIG_MAPS, namespace=namespace, resource_version=start, timeout_s=1)
    told = [event.type async for event in watch if event.object["metadata"].get("name") == "a"]
    assert told == ["ADDED", "MODIFIED", "DELETED"]


async def test_the_server_says_what_is_wrong_with_an_object(kube: KubeClient, namespace: str) -> None:
    with pytest.raises(Invalid, match=r"spec\.replicas: Invalid value: -1") as caught:
        await kube.apply(deployment(namespace, replicas=-1), field_manager=MANAGER)
    assert caught.value.reason == "Invalid"


async def test_a_request_that_makes_no_sense_is_invalid(kube: KubeClient, namespace: str) -> None:
    with pytest.raises(Invalid) as caught:
        await kube.list(PODS, namespace=namespace, label_selector="=")
    assert caught.value.reason == "BadRequest"


async def test_a_namespace_that_is_not_there(kube: KubeClient) -> None:
    with pytest.raises(NotFound, match='namespaces "nowhere" not found'):
        await kube.apply(config_map("nowhere", "a"), field_manager=MANAGER)


async def test_a_resource_type_that_is_not_there(kube: KubeClient) -> None:
    with pytest.raises(NotFound, match=r"/apis/nobody\.example/v1/things"):
        await kube.list(Resource("nobody.example/v1", "Thing", "things"))


async def test_a_token_that_is_no_longer_known(kube: KubeClient, control_plane: Path, tmp_path: Path) -> None:
    async with await auth.connect(as_token(control_plane, tmp_path, "nonsense"), None) as stranger:
        with pytest.raises(Unauthenticated, match="Unauthorized"):
            await stranger.list(PODS)


async def test_an_account_without_rights(
    kube: KubeClient, control_plane: Path, namespace: str, tmp_path: Path
) -> None:
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"namespace": namespace, "name": "nobody"},
    }
    await kube.create(account)
    path = SERVICE_ACCOUNTS.path(namespace, "nobody", "token")
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = (await kube._send(Request("POST", path, body=request)))["status"]["token"]
    async with await auth.connect(as_token(control_plane, tmp_path, token), None) as nobody:
        with pytest.raises(
            Forbidden, match=r'deployments\.apps is forbidden: User "system:serviceaccount'
        ) as caught:
            await nobody.list(DEPLOYMENTS)
    assert caught.value.reason == "Forbidden"


async def test_the_history_before_a_resource_type_was_served_is_gone(kube: KubeClient, kind: Resource) -> None:
    with pytest.raises(Expired, match="too old resource version"):
        await anext(kube.watch(kind, resource_version="1"))


async def test_a_server_that_is_down(gated: KubeClient, gate: Gate, namespace: str) -> None:
    await gated.get(CONFIG_MAPS, namespace, "a")
    await gate.shut()
    with pytest.raises(Unreachable):
        await gated.get(CONFIG_MAPS, namespace, "a")
    await gate.open()
    assert await gated.get(CONFIG_MAPS, namespace, "a") is None


async def test_a_server_with_a_certificate_of_somebody_else(
    control_plane: Path, gate: Gate, tmp_path: Path
) -> None:
    kubeconfig = through(gate, control_plane, tmp_path, server_name="somebody.else")
    async with await auth.connect(kubeconfig, None) as client:
        with pytest.raises(Unreachable, match="certificate"):
            await client.list(PODS)


async def test_the_connection_for_others_leads_to_the_same_cluster(kube: KubeClient, control_plane: Path) -> None:
    found = await auth.connection(control_plane, None)
    assert (found.server, found.insecure) == (kube.base_url, False)
    assert found.ca_path
    assert found.token or found.certificate_path


def as_token(kubeconfig: Path, folder: Path, token: str) -> Path:
    """A kubeconfig for the same cluster with nothing but this token."""
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    (folder / "as-token").write_text(yaml.safe_dump(config))
    return folder / "as-token"
