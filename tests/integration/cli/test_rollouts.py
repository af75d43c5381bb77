"""The subcommands for rollouts, against a real API server: as a person and a pipeline call them."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelfleet.core.commands import read_commands
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import apply, model_deployment, read
from tests.unit.cli import states

COMMAND = [sys.executable, "-m", "modelfleet.cli.main"]
SCRIPT = f"#!{sys.executable}\nimport sys\nfrom modelfleet.cli.main import main\nsys.exit(main())\n"
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def running(kubectl: Kubectl) -> None:
    """A ModelDeployment named claims whose canary runs."""
    put(kubectl, states.RUNNING)


def put(kubectl: Kubectl, state: dict[str, Any]) -> None:
    """Have claims in that state, as the operator would have left it."""
    apply(kubectl, model_deployment(version="2", **state["spec"]))
    patch = json.dumps({"status": {**state["status"], "observedGeneration": 1}})
    kubectl("patch", "modeldeployment", "claims", "--subresource=status", "--type=merge", "-p", patch)


def environment(kubectl: Kubectl) -> dict[str, str]:
    return os.environ | {"KUBECONFIG": str(kubectl.kubeconfig), "PYTHONPATH": str(REPOSITORY / "operator")}


def run(kubectl: Kubectl, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The finished command, in the namespace of the test."""
    command = [*COMMAND, *arguments, "-n", kubectl.namespace]
    return subprocess.run(command, env=environment(kubectl), capture_output=True, text=True, check=False)


def said(kubectl: Kubectl, *arguments: str) -> str:
    finished = run(kubectl, *arguments)
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


def claims(kubectl: Kubectl) -> dict[str, Any]:
    body = read(kubectl, "modeldeployment", "claims")
    assert body
    return dict(body)


@pytest.mark.usefixtures("running")
def test_the_status_is_that_of_the_object(kubectl: Kubectl) -> None:
    text = said(kubectl, "status", "claims")
    assert "rollout of 9b0c1d2e3f: Canary, step 1 of 2, begun 2025-11-22T12:56:30Z" in text
    assert "canary pods    1 of 1 ready, 20 % of all pods" in text
    assert "\x1b" not in text


@pytest.mark.usefixtures("running")
def test_the_table_has_a_line_for_each(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment("fraud"))
    assert [line.split()[0] for line in said(kubectl, "status").splitlines()] == ["NAME", "claims", "fraud"]
    everywhere = run(kubectl, "status", "-A").stdout.splitlines()
    assert [line.split()[1] for line in everywhere if line.startswith(kubectl.namespace)] == ["claims", "fraud"]


@pytest.mark.parametrize(
    ("verb", "state"), [("promote", states.RUNNING), ("abort", states.RUNNING), ("retry", states.BACK)]
)
def test_a_command_becomes_an_annotation_that_the_operator_carries_out(
    kubectl: Kubectl, verb: str, state: dict[str, Any]
) -> None:
    put(kubectl, state)
    before = claims(kubectl)
    text = said(kubectl, verb, "claims")
    body = claims(kubectl)
    assert read_commands(body).asks(verb, states.NEW, 1)
    assert f"Follow it with: modelfleet status claims -n {kubectl.namespace} -w" in text
    assert (body["spec"], body["metadata"]["generation"]) == (before["spec"], before["metadata"]["generation"])
    assert f"asked for     {verb}" in said(kubectl, "status", "claims")


@pytest.mark.usefixtures("running")
def test_pause_and_resume_edit_the_spec(kubectl: Kubectl) -> None:
    said(kubectl, "pause", "claims")
    assert claims(kubectl)["spec"]["rollout"]["paused"] is True
    assert "paused already" in said(kubectl, "pause", "claims")
    said(kubectl, "resume", "claims")
    assert claims(kubectl)["spec"]["rollout"] == states.POLICY | {
        "paused": False,
        "onFailure": "Rollback",
        "progressDeadline": "15m",
    }


def test_what_is_not_there_is_said(kubectl: Kubectl) -> None:
    for arguments in (["status", "claims"], ["promote", "claims"], ["diff", "claims"], ["status", "claims", "-w"]):
        finished = run(kubectl, *arguments)
        assert finished.returncode == 1
        assert f"There is no ModelDeployment claims in the namespace {kubectl.namespace}." in finished.stderr


def test_the_history_is_printed_for_people_and_programs(kubectl: Kubectl) -> None:
    put(kubectl, states.BACK)
    assert "2025-11-22T12:47:30Z" in said(kubectl, "history", "claims")
    assert json.loads(said(kubectl, "history", "claims", "-o", "json")) == [states.ROLLED_BACK, states.FIRST]


@pytest.mark.usefixtures("running")
def test_diff_compares_the_recorded_pods(kubectl: Kubectl) -> None:
    deploy(kubectl, "claims", states.OLD, "server:1")
    deploy(kubectl, "claims-canary", states.NEW, "server:2")
    lines = said(kubectl, "diff", "claims").splitlines()
    assert lines[:2] == [f"--- {states.OLD} (serves)", f"+++ {states.NEW} (canary)"]
    assert [line for line in lines[2:] if line[0] in "+-"] == ["-  - image: server:1", "+  - image: server:2"]
    finished = run(kubectl, "diff", "claims", "--revision", "0000000000")
    assert (finished.returncode, finished.stdout) == (1, "")


def deploy(kubectl: Kubectl, name: str, revision: str, image: str) -> None:
    """A Deployment with the annotations that the operator gives it."""
    template = {"spec": {"containers": [{"name": "server", "image": image}]}}
    labels = {"app": name}
    annotations = {"modelfleet.dev/revision": revision, "modelfleet.dev/pod-template": json.dumps(template)}
    pods = {"metadata": {"labels": labels}, **template}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pods},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(body))


@pytest.fixture
def viewer(kubectl: Kubectl, tmp_path: Path) -> Kubectl:
    """Somebody who may look at ModelDeployments, and at nothing else."""
    kubectl("create", "serviceaccount", "viewer")
    rights = ("--verb=get,list,watch", "--resource=modeldeployments.modelfleet.dev")
    kubectl("create", "role", "viewer", *rights)
    account = f"--serviceaccount={kubectl.namespace}:viewer"
    kubectl("create", "rolebinding", "viewer", "--role=viewer", account)
    config = json.loads(kubectl("config", "view", "--raw", "--flatten", "--minify", "-o", "json"))
    config["users"][0]["user"] = {"token": kubectl("create", "token", "viewer").strip()}
    path = tmp_path / "viewer"
    path.write_text(json.dumps(config))
    return Kubectl(path, kubectl.namespace)


@pytest.mark.usefixtures("running")
def test_who_may_only_look_is_told_which_right_is_missing(viewer: Kubectl) -> None:
    assert said(viewer, "status", "claims")
    for verb in ("promote", "abort", "pause"):
        finished = run(viewer, verb, "claims")
        assert finished.returncode == 1
        assert "You need the right to patch modeldeployments of modelfleet.dev in the namespace" in finished.stderr
    assert "You need the right to get deployments of apps" in run(viewer, "diff", "claims").stderr
    assert "You need the right to list modeldeployments of modelfleet.dev in all namespaces" in (
        run(viewer, "status", "-A").stderr
    )


@pytest.fixture
def follower(kubectl: Kubectl, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`modelfleet status claims -w`, into a file."""
    command = [*COMMAND, "status", "claims", "-w", "-n", kubectl.namespace]
    with (tmp_path / "followed").open("wb") as output:
        process = subprocess.Popen(command, env=environment(kubectl), stdout=output)
    yield process
    process.kill()
    process.wait()


@pytest.mark.usefixtures("running")
def test_changes_are_followed_into_a_file_until_interrupted(
    kubectl: Kubectl, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    process: subprocess.Popen[bytes] = request.getfixturevalue("follower")
    followed = tmp_path / "followed"
    eventually(lambda: "CanaryRunning" in followed.read_text())
    put(kubectl, states.BAKING)
    eventually(lambda: "rollout of 9b0c1d2e3f: Baking" in followed.read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0
    assert "\x1b" not in followed.read_text()


@pytest.mark.usefixtures("running")
def test_a_deletion_ends_the_following(kubectl: Kubectl, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    process: subprocess.Popen[bytes] = request.getfixturevalue("follower")
    eventually(lambda: "CanaryRunning" in (tmp_path / "followed").read_text())
    kubectl("delete", "modeldeployment", "claims")
    assert process.wait(timeout=10) == 1


@pytest.mark.usefixtures("running")
def test_a_terminal_is_drawn_over_as_time_passes(kubectl: Kubectl) -> None:
    here, there = pty.openpty()
    command = [*COMMAND, "status", "claims", "-w", "-n", kubectl.namespace]
    with subprocess.Popen(command, env=environment(kubectl), stdout=there) as process:
        drawn = b""
        while drawn.count(b"\x1b[H") < 3:
            drawn += os.read(here, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
    assert drawn.startswith(b"\x1b[2J\x1b[HName:")
    os.close(here)
    os.close(there)


@pytest.mark.usefixtures("running")
def test_following_can_have_an_end(kubectl: Kubectl) -> None:
    assert "CanaryRunning" in said(kubectl, "status", "claims", "-w", "--timeout", "1s")


@pytest.mark.usefixtures("running")
def test_a_reader_that_has_enough_is_no_error(kubectl: Kubectl) -> None:
    command = [*COMMAND, "status", "claims", "-w", "-n", kubectl.namespace]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment(kubectl), stdout=pipe, stderr=pipe) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        put(kubectl, states.BAKING)
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == b""


@pytest.mark.usefixtures("running")
def test_kubectl_finds_it_as_a_plugin(kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = tmp_path / "kubectl-modelfleet"
    plugin.write_text(SCRIPT)
    plugin.chmod(0o755)
    for name, value in (environment(kubectl) | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}).items():
        monkeypatch.setenv(name, value)
    # Plugins have flags of their own, which kubectl passes on only where they follow the name.
    command = ["kubectl", "modelfleet", "status", "claims", "-n", kubectl.namespace]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "CanaryRunning" in finished.stdout
