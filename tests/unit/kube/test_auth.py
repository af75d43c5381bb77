"""Credentials come from where kubectl and every Go client take them, and change when those change."""

import json
import stat
import traceback
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.aio.config import incluster_config

from modelfleet.core.errors import Unauthenticated
from modelfleet.kube import auth
from modelfleet.kube.client import CONFIG_MAPS
from tests.unit.kube.faulty import config_map, faulty, says


@pytest.fixture(autouse=True)
def no_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def write_kubeconfig(path: Path, *users: dict[str, Any], server: str = "http://127.0.0.1:1") -> Path:
    """One context per user, named after its place; the first is current."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "0",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": str(i), "user": user} for i, user in enumerate(users)],
        "contexts": [{"name": str(i), "context": {"cluster": "c", "user": str(i)}} for i in range(len(users))],
    }
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The service account folder of a pod."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr("modelfleet.kube.auth.config.incluster_config.SERVICE_TOKEN_FILENAME", f"{tmp_path}/token")
    monkeypatch.setattr("modelfleet.kube.auth.config.incluster_config.SERVICE_CERT_FILENAME", f"{tmp_path}/ca.crt")
    (tmp_path / "token").write_text("first")
    (tmp_path / "ca.crt").write_text("a certificate")
    return tmp_path


async def test_in_a_pod_its_service_account_speaks(pod: Path) -> None:
    found = await auth.connection(None, None)
    assert (found.server, found.scheme, found.token) == ("https://[fd00::1]:443", "Bearer", "first")
    assert (found.ca_path, found.insecure) == (f"{pod}/ca.crt", False)


async def test_a_rotated_service_account_token_is_used(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = auth.Credentials(None, None)
    assert await credentials.authorization() == "bearer first"
    (pod / "token").write_text("second")
    later = incluster_config.datetime.datetime.now() + incluster_config.datetime.timedelta(minutes=2)

    class Later(incluster_config.datetime.datetime):  # type: ignore[misc]  # the library is untyped
        @classmethod
        def now(cls, tz: object = None) -> Any:
            return later

    monkeypatch.setattr(incluster_config.datetime, "datetime", Later)
    assert await credentials.authorization() == "bearer second"


async def test_a_pod_without_a_token_is_told_so(pod: Path) -> None:
    (pod / "token").unlink()
    with pytest.raises(Unauthenticated, match="token file does not exist"):
        await auth.connect(None, None)


async def test_a_kubeconfig_wins_over_the_pod(pod: Path, tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "config", {"token": "t"}, server="https://example:6443")
    found = await auth.connection(kubeconfig, None)
    assert (found.server, found.token) == ("https://example:6443", "t")


async def test_another_context_is_another_user(tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "config", {"token": "t0"}, {"username": "u", "password": "p"})
    assert (await auth.connection(kubeconfig, None)).token == "t0"
    basic = await auth.connection(kubeconfig, "1")
    assert (basic.scheme, basic.token) == ("Basic", "dTpw")


async def test_a_certificate_authority_that_is_none(pod: Path) -> None:
    with pytest.raises(Unauthenticated):
        await auth.connect(None, None)


@pytest.mark.parametrize("content", ["", "{}", "not: [yaml", "[]"])
async def test_a_kubeconfig_that_is_none(tmp_path: Path, content: str) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(content)
    with pytest.raises(Unauthenticated, match="credentials cannot be read"):
        await auth.connect(kubeconfig, None)


async def test_what_is_wrong_in_a_kubeconfig_is_told_without_its_keys(tmp_path: Path) -> None:
    broken = {"client-certificate-data": None, "client-key-data": "cGxhbnRlZA=="}
    with pytest.raises(Unauthenticated, match="client-certificate-data") as refusal:
        await auth.connect(write_kubeconfig(tmp_path / "config", broken, server="https://127.0.0.1:1"), None)
    assert "cGxhbnRlZA" not in "".join(traceback.format_exception(refusal.value))


async def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unauthenticated):
        await auth.connect(tmp_path / "config", None)


async def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unauthenticated, match="nowhere"):
        await auth.connect(write_kubeconfig(tmp_path / "config", {"token": "t"}), "nowhere")


async def test_a_login_plugin_is_asked_again_before_its_token_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    plugin = tmp_path / "plugin"
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"}}
    plugin.write_text(f"#!/bin/sh\nprintf '{json.dumps(answer)}' \"$(cat {token})\"\n")
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    user = {"exec": {"command": str(plugin), "apiVersion": answer["apiVersion"]}}
    async with faulty(says(200, config_map("a", 1))) as server:
        kubeconfig = write_kubeconfig(tmp_path / "config", user, server=server.url)
        async with await auth.connect(kubeconfig, None) as client:
            await client.get(CONFIG_MAPS, "ns", "a")
            token.write_text("second")
            await client.get(CONFIG_MAPS, "ns", "a")
            monkeypatch.setattr(auth, "RELOAD_S", 0.0)
            await client.get(CONFIG_MAPS, "ns", "a")
    sent = [request.headers["Authorization"] for request in server.requests]
    assert sent == ["Bearer first", "Bearer first", "Bearer second"]


async def test_credentials_that_become_unreadable_are_a_fault_of_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "config", {"token": "t"})
    async with await auth.connect(kubeconfig, None) as client:
        kubeconfig.unlink()
        monkeypatch.setattr(auth, "RELOAD_S", 0.0)
        with pytest.raises(Unauthenticated):
            await client.get(CONFIG_MAPS, "ns", "a")
