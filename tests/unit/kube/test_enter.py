"""The namespace that is meant where none is named, as kubectl has it."""

from pathlib import Path

import pytest
import yaml

from modelfleet.kube import auth

INCLUSTER = "modelfleet.kube.auth.config.incluster_config"


def kubeconfig(folder: Path) -> Path:
    """Two contexts: one names a namespace, and the other, which is current, does not."""
    config = {
        "current-context": "plain",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [
            {"name": "plain", "context": {"cluster": "c", "user": "u"}},
            {"name": "ml", "context": {"cluster": "c", "user": "u", "namespace": "ml"}},
        ],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.mark.parametrize(("context", "namespace"), [(None, "default"), ("plain", "default"), ("ml", "ml")])
async def test_the_namespace_is_that_of_the_context(tmp_path: Path, context: str | None, namespace: str) -> None:
    client, found = await auth.enter(kubeconfig(tmp_path), context)
    await client.close()
    assert found == namespace


@pytest.mark.parametrize(("written", "namespace"), [("ml\n", "ml"), (None, "default")])
async def test_in_a_pod_the_namespace_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str | None, namespace: str
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    for name, file in (("TOKEN", "token"), ("CERT", "ca.crt")):
        monkeypatch.setattr(f"{INCLUSTER}.SERVICE_{name}_FILENAME", f"{tmp_path}/{file}")
        (tmp_path / file).write_text("something")
    if written:
        (tmp_path / "namespace").write_text(written)
    credentials = auth.Credentials(None, None)
    await credentials.refresh()
    assert credentials.namespace == namespace
