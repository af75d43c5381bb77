"""What a kubelet and a scheduler write about a pod, and the cause that a person is told."""

import itertools
from typing import Any

import pytest

from modelfleet.core.diagnosis import Cause, diagnose, fetched_model, is_ready
from tests.support.objects import FETCHED, container, ended, leaving, owner, pod, ready_pod, reported, waiting

OWNER = owner()
NOT_FOUND = "The model https://demo.blob.core.windows.net/models/claims/9/ does not exist (404)."
PULL_ERROR = 'failed to resolve reference "acr.azurecr.io/env:9": not found'
EXEC_ERROR = 'exec: "python3": executable file not found in $PATH: unknown'
CRASH_LOOP = waiting("CrashLoopBackOff", "back-off 20s restarting failed container=server pod=claims-7d9c-x2xkq")
UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient memory.",
}


def fetching(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A pod in its init container."""
    server = container("server", waiting("PodInitializing"))
    return pod(OWNER, initContainerStatuses=[container("fetch", state, **more)], containerStatuses=[server])


def serving(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A pod whose model is fetched."""
    return pod(
        OWNER,
        phase="Running",
        initContainerStatuses=[FETCHED],
        containerStatuses=[container("server", state, **more)],
    )


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        pytest.param(
            fetching(waiting("ErrImagePull", PULL_ERROR)),
            Cause("ImageUnavailable", f"The image modelfleet/server:1 cannot be pulled: {PULL_ERROR}."),
            id="the image does not exist",
        ),
        pytest.param(
            fetching(waiting("ImagePullBackOff", f'Back-off pulling image "env:9": ErrImagePull: {PULL_ERROR}')),
            Cause("ImageUnavailable", f"The image modelfleet/server:1 cannot be pulled: {PULL_ERROR}."),
            id="the image does not exist, and the kubelet waits, and the message stays the same",
        ),
        pytest.param(
            fetching(waiting("ImagePullBackOff", 'Back-off pulling image "env:9"')),
            Cause(
                "ImageUnavailable",
                'The image modelfleet/server:1 cannot be pulled: Back-off pulling image "env:9".',
            ),
            id="the image does not exist, and an older kubelet waits",
        ),
        pytest.param(
            serving(waiting("CreateContainerConfigError", 'secret "api" not found')),
            Cause("ContainerConfigInvalid", 'The container cannot be configured: secret "api" not found.'),
            id="a variable comes from a Secret that is not there",
        ),
        pytest.param(
            serving(waiting("RunContainerError", EXEC_ERROR)),
            Cause("ContainerStartFailed", f"The container cannot be started: {EXEC_ERROR}."),
            id="there is no Python in the image",
        ),
        pytest.param(
            serving(CRASH_LOOP, last=ended(128, EXEC_ERROR, "StartError")),
            Cause("ContainerStartFailed", f"The container cannot be started: {EXEC_ERROR}."),
            id="there is no Python in the image, and the kubelet waits",
        ),
        pytest.param(
            serving(ended(137, reason="OOMKilled")),
            Cause(
                "OutOfMemory",
                "The server container was killed for using more memory than its limit; "
                "raise spec.resources.limits.memory.",
            ),
            id="the model needs more memory than it may have",
        ),
        pytest.param(
            fetching(CRASH_LOOP, last=ended(137, reason="OOMKilled")),
            Cause(
                "OutOfMemory",
                "The fetch container was killed for using more memory than its limit; "
                "raise spec.resources.limits.memory.",
            ),
            id="the download needs more memory than it may have",
        ),
        pytest.param(
            fetching(CRASH_LOOP, last=ended(1, reported("ModelNotFound", NOT_FOUND))),
            Cause("ModelNotFound", NOT_FOUND),
            id="the model is not there, which may change",
        ),
        pytest.param(
            fetching({"running": {}}, last=ended(1, reported("ModelNotFound", NOT_FOUND))),
            Cause("ModelNotFound", NOT_FOUND),
            id="the model was not there a moment ago",
        ),
        pytest.param(
            fetching(ended(1, reported("ChecksumMismatch", "The sha256 is 1, not 2."))),
            Cause("ChecksumMismatch", "The sha256 is 1, not 2.", stalled=True),
            id="the model is another one",
        ),
        pytest.param(
            serving(ended(1, "some log\n" + reported("ModelInvalid", "No ONNX file."))),
            Cause("ModelInvalid", "No ONNX file.", stalled=True),
            id="the model is none",
        ),
        pytest.param(
            serving(ended(1, reported("ModelInvalid", ""))),
            Cause("ModelInvalid", "ModelInvalid.", stalled=True),
            id="a report without a message",
        ),
        pytest.param(
            serving(CRASH_LOOP, last=ended(1)),
            Cause(
                "ContainerCrashed", "The server container ended with exit code 1: it left no message; see its log."
            ),
            id="the server crashes without a word",
        ),
        pytest.param(
            serving(CRASH_LOOP, last=ended(0, reason="Completed")),
            Cause(
                "ContainerCrashed", "The server container ended with exit code 0: it left no message; see its log."
            ),
            id="the server ends by itself, as after a failed liveness probe",
        ),
        pytest.param(
            serving(ended(1, "Traceback (most recent call last):\n  File x\nValueError: bad\n")),
            Cause(
                "ContainerCrashed",
                "The server container ended with exit code 1: "
                "Traceback (most recent call last): File x ValueError: bad.",
            ),
            id="the user's code raises",
        ),
        pytest.param(
            serving(ended(1, '{"level": "error", "reason": "connection refused", "message": "x"}')),
            Cause(
                "ContainerCrashed",
                "The server container ended with exit code 1: "
                '{"level": "error", "reason": "connection refused", "message": "x"}.',
            ),
            id="somebody's log line is no report of ours",
        ),
        pytest.param(
            pod(OWNER, conditions=[UNSCHEDULABLE]),
            Cause("Unschedulable", "No node can take the pod: 0/3 nodes are available: 3 Insufficient memory."),
            id="there is no room",
        ),
    ],
)
def test_a_pod_that_does_not_serve_says_why(body: dict[str, Any], cause: Cause) -> None:
    assert diagnose([body]) == cause


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"metadata": {"name": "a"}}, id="no status yet"),
        pytest.param(pod(OWNER), id="nothing has started"),
        pytest.param(fetching({"running": {}}), id="the model is being fetched"),
        pytest.param(fetching(waiting("PodInitializing")), id="the image is being pulled"),
        pytest.param(serving({"running": {}}), id="the model is being loaded"),
        pytest.param(leaving(serving(ended(137))), id="it is being deleted"),
        pytest.param(
            pod(OWNER, phase="Failed", containerStatuses=[container("server", ended(137))]), id="evicted"
        ),
        pytest.param(
            ready_pod(OWNER, containerStatuses=[container("server", {"running": {}}, last=ended(1), restarts=1)]),
            id="it crashed once and serves now",
        ),
    ],
)
def test_a_pod_with_nothing_wrong_says_nothing(body: dict[str, Any]) -> None:
    assert diagnose([body]) is None


def test_the_end_of_a_long_log_is_told_and_the_beginning_of_a_long_message() -> None:
    crashed = diagnose([serving(ended(1, "first\n" + "x" * 5000 + "\nValueError: bad"))])
    rejected = diagnose([serving(waiting("RunContainerError", "exec: not found " + "x" * 5000))])
    assert crashed
    assert rejected
    assert crashed.message.endswith("xx ValueError: bad.")
    assert rejected.message.startswith("The container cannot be started: exec: not found xx")
    assert max(len(crashed.message), len(rejected.message)) < 400


def test_the_same_pods_in_any_order_give_the_same_cause() -> None:
    pods = [
        pod(OWNER, "claims-a", conditions=[UNSCHEDULABLE]),
        pod(OWNER, "claims-b", containerStatuses=[container("server", ended(1))]),
        ready_pod(OWNER, "claims-c"),
    ]
    causes = {diagnose(order) for order in itertools.permutations(pods)}
    assert [cause.reason for cause in causes if cause] == ["Unschedulable"]


def test_a_cause_that_no_waiting_mends_is_told_before_all_others() -> None:
    hopeless = pod(
        OWNER,
        "claims-z",
        initContainerStatuses=[container("fetch", ended(1, reported("ChecksumMismatch", "No.")))],
    )
    cause = diagnose([pod(OWNER, "claims-a", conditions=[UNSCHEDULABLE]), hopeless])
    assert cause == Cause("ChecksumMismatch", "No.", stalled=True)


def test_a_pod_is_ready_until_it_leaves() -> None:
    assert is_ready(ready_pod(OWNER))
    assert not is_ready(leaving(ready_pod(OWNER)))
    assert not is_ready(pod(OWNER))
    assert not is_ready({"metadata": {"name": "a"}})


@pytest.mark.parametrize(
    ("state", "sha256"),
    [
        (ended(0, reported("Fetched", "", sha256="ab", bytes=1, files=1)), "ab"),
        ({"running": {}}, None),
        (ended(1, reported("ModelNotFound", "No.")), None),
        (ended(0, reported("Fetched", "")), None),
        (ended(0, "Fetched"), None),
        (ended(0, "[]"), None),
    ],
)
def test_the_fetcher_reports_what_it_fetched(state: dict[str, Any], sha256: str | None) -> None:
    report = fetched_model(fetching(state), "fetch")
    assert (report and report["sha256"]) == sha256
