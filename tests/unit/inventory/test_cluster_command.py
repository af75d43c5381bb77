"""The subcommands of cluster, as they are called: usage, and descriptions that cannot be read."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelfleet.cli.main import main
from tests.unit.inventory.descriptions import argocd_secret
from tests.unit.kube.faulty import Answer, faulty, says


def listing(*secrets: dict[str, Any]) -> Answer:
    return says(200, {"kind": "SecretList", "metadata": {"resourceVersion": "1"}, "items": list(secrets)})


async def against(folder: Path, answers: list[Answer], *arguments: str) -> int:
    """How the command ends with a hub that answers so."""
    async with faulty(*answers) as server:
        config = {
            "current-context": "here",
            "clusters": [{"name": "c", "cluster": {"server": server.url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        }
        path = folder / "config"
        path.write_text(yaml.safe_dump(config))
        return await asyncio.to_thread(main, ["cluster", *arguments, "--kubeconfig", str(path)])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["list"], "say where clusters are described: --argocd, --cluster-api or --cluster-profiles"),
        (["check", "--argocd", "argocd"], "the following arguments are required: NAME"),
        (["list", "--provider", "fleet"], "write NAME=azure-workload-identity"),
        (["list", "--provider", "=azure-workload-identity"], "write NAME=azure-workload-identity"),
        (["list", "--provider", "fleet=exec"], "write NAME=azure-workload-identity"),
        (["join", "west", "--member-context", "w"], "the following arguments are required: --argocd"),
        (["join", "west", "--argocd", "argocd"], "the following arguments are required: --member-context"),
        (["join", "West!", "--argocd", "a", "--member-context", "w"], "write at most 50 lower-case letters"),
        (["join", "w", "--argocd", "a", "--member-context", "w", "--region", "a b"], "write at most 63 letters"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_what_is_not_a_command_says_how_it_is_used(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["cluster", *arguments])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            says(403, {"reason": "Forbidden", "message": "secrets is forbidden"}),
            "cannot be read: secrets is forbidden",
        ),
        (says(200, "<html>"), "cannot be read: GET /api/v1/namespaces/argocd/secrets: "),
        (says(401), "cannot be read: "),
    ],
)
async def test_descriptions_that_cannot_be_read_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: Answer, told: str
) -> None:
    assert await against(tmp_path, [answer], "list", "--argocd", "argocd") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert told in said.err


async def test_names_and_answers_cannot_write_over_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = argocd_secret(
        server="https://kubernetes.default.svc", labels={"topology.kubernetes.io/region": "a\x1b[2J"}
    )
    evil = says(403, {"message": "\x1b[2J" + "x" * 10_000})
    assert await against(tmp_path, [listing(here), evil], "list", "--argocd", "argocd") == 0
    out = capsys.readouterr().out
    assert "Forbidden" in out
    assert "\x1b" not in out
    assert len(out) < 2000


async def test_only_the_secrets_that_are_marked_are_asked_for(tmp_path: Path) -> None:
    async def answer(request: Any) -> Any:
        assert request.query["labelSelector"] == "argocd.argoproj.io/secret-type=cluster"
        return await listing(argocd_secret())(request)

    assert await against(tmp_path, [answer], "check", "nobody", "--argocd", "argocd") == 1
