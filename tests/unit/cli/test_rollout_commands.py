"""The subcommands for rollouts, as they are called: usage, and clusters that refuse."""

import asyncio
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelfleet.cli.main import main
from tests.unit.cli.states import HEALTHY, RUNNING
from tests.unit.kube.faulty import Answer, faulty, says

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing on this machine names a cluster."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(variable, raising=False)


def kubeconfig(folder: Path, server: str, **context: str) -> str:
    config = {
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", **context}}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    return str(path)


async def against(folder: Path, answers: list[Answer], *arguments: str) -> tuple[int, list[Any]]:
    """How the command ends with a server that answers so, and which requests that got."""
    async with faulty(*answers) as server:
        path = kubeconfig(folder, server.url, namespace="ml")
        code = await asyncio.to_thread(main, [*arguments, "--kubeconfig", path])
        return code, server.requests


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["status", "-w"], "-w follows one ModelDeployment: write its NAME"),
        (["status", "claims", "-A"], "a NAME is in one namespace: leave -A out"),
        (["status", "claims", "--timeout", "5m"], "--timeout is for -w"),
        (["status", "claims", "-w", "--timeout", "5"], "'5' is no duration such as 90s, 15m or 1h30m"),
        (["promote"], "the following arguments are required: NAME"),
        (["abort", "claims", "--force"], "unrecognized arguments: --force"),
        (["history", "claims", "-o", "yaml"], "invalid choice: 'yaml'"),
        (["undo", "claims"], "invalid choice: 'undo'"),
    ],
)
def test_what_is_not_a_command_says_how_it_is_used(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        ("promote", "sets the annotation modelfleet.dev/promote, and nothing else"),
        ("pause", "Where Argo CD, Flux or a pipeline applies it from Git"),
        ("diff", "The exit code is 0 with and without differences."),
    ],
)
def test_help_says_what_a_command_does(capsys: pytest.CaptureFixture[str], verb: str, told: str) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    assert told in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("name", "called"), [("kubectl-modelfleet", "kubectl modelfleet"), ("main.py", "modelfleet")]
)
def test_help_has_the_name_by_which_it_was_called(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, called: str
) -> None:
    monkeypatch.setattr(sys, "argv", [f"/usr/bin/{name}", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert f"usage: {called} [-h]" in capsys.readouterr().out


def test_without_a_kubeconfig_it_says_where_one_was_looked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["status"]) == 1
    assert capsys.readouterr().err == (
        f"modelfleet: There is no kubeconfig at {tmp_path}/.kube/config: name one with --kubeconfig, or in the "
        "variable KUBECONFIG.\n"
    )


def test_a_kubeconfig_that_is_named_and_not_there_is_not_replaced_by_a_pods_own_rights(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBECONFIG", "/missing:/gone")
    assert main(["status"]) == 1
    assert "There is no kubeconfig at /missing, /gone:" in capsys.readouterr().err


def test_a_context_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "http://127.0.0.1:1")
    assert main(["status", "--kubeconfig", path, "--context", "there"]) == 1
    assert "Expected object with name there" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["status"], ["status", "claims", "-w"], ["promote", "claims"], ["diff", "claims"]], ids=" ".join
)
def test_a_server_that_cannot_be_reached_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str]
) -> None:
    assert main([*arguments, "--kubeconfig", kubeconfig(tmp_path, "http://127.0.0.1:1")]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("modelfleet: The API server at http://127.0.0.1:1 cannot be reached:")
    assert said.out == ""


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (401, "does not accept who you are: go away"),
        (
            403,
            "You need the right to list modeldeployments of modelfleet.dev in the namespace ml. ",
        ),
        (404, "has no such thing; is Modelfleet installed? go away"),
        (500, "refuses: go away"),
    ],
)
async def test_a_refusal_of_the_server_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, code: int, told: str
) -> None:
    ended, _ = await against(tmp_path, [says(code, {"message": "go away"})], "status")
    assert ended == 1
    assert told in capsys.readouterr().err


async def test_the_namespace_is_that_of_the_context_unless_one_is_named(tmp_path: Path) -> None:
    answers = [says(200, {"metadata": {"resourceVersion": "1"}, "items": []})]
    paths = [
        (await against(tmp_path, answers, "status", *arguments))[1][0].path
        for arguments in ([], ["-n", "other"], ["-A"])
    ]
    root = "/apis/modelfleet.dev/v1alpha1"
    assert paths == [f"{root}/{scope}modeldeployments" for scope in ("namespaces/ml/", "namespaces/other/", "")]


async def test_that_there_are_none_is_said_beside_the_output(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answers = [says(200, {"metadata": {"resourceVersion": "1"}, "items": []})]
    assert (await against(tmp_path, answers, "status", "-A"))[0] == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "modelfleet: There are no ModelDeployments in any namespace.\n")


async def test_a_missing_right_to_patch_is_named_after_a_right_to_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answers = [says(200, RUNNING), says(403, {"message": "no"})]
    assert (await against(tmp_path, answers, "promote", "claims"))[0] == 1
    said = capsys.readouterr()
    assert "You need the right to patch modeldeployments of modelfleet.dev in the namespace ml." in said.err
    assert said.out == ""


async def test_a_right_to_see_deployments_is_needed_for_diff_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert (await against(tmp_path, [says(403, {"message": "no"})], "diff", "claims"))[0] == 1
    assert "You need the right to get deployments of apps in the namespace ml." in capsys.readouterr().err


async def test_what_is_refused_is_not_asked_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, requests = await against(tmp_path, [says(200, HEALTHY)], "abort", "claims")
    assert (code, [request.method for request in requests]) == (1, ["GET"])
    assert "There is nothing to abort" in capsys.readouterr().err


def test_the_module_runs_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["modelfleet"])
    monkeypatch.delitem(sys.modules, "modelfleet.cli.main")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("modelfleet.cli.main", run_name="__main__")
    assert ended.value.code == 2
