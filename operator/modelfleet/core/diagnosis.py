"""Why a pod does not serve: the cause behind its status, with a stable reason and a sentence.

The fetcher and the server write ``{"reason", "message"}`` as their termination message, so what went
wrong inside a container reaches the resource's conditions within seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from modelfleet.core.manifest import Manifest, dig

IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
CONFIG_REASONS = frozenset({"CreateContainerConfigError"})
START_REASONS = frozenset({"CreateContainerError", "RunContainerError", "StartError"})
MESSAGE_LIMIT = 300
FINISHED_PHASES = frozenset({"Failed", "Succeeded"})
HOPELESS = frozenset({"ChecksumMismatch", "ModelInvalid", "SmokeFailed", "SmokeInvalid"})
"""Reports of a container that no retry mends: the resource, or the model's files, have to change first."""

_BACK_OFF = re.compile(r'Back-off pulling image "[^"]*": (?:\w+: )?')
"""What the kubelet puts before an error while it waits; without it the message is the same at every try."""
_REASON = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why a ModelDeployment is not as wanted; `stalled` when waiting alone cannot help."""

    reason: str
    message: str
    stalled: bool = False


def diagnose(pods: Iterable[Manifest]) -> Cause | None:
    """Return the most telling cause among the pods, or None when nothing is known to be wrong.

    A stalling cause comes first, for it decides what happens next; then the order of the pods' names,
    so that the same pods always give the same answer.
    """
    ordered = sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))
    causes = [cause for pod in ordered for cause in _causes(pod)]
    return next((c for c in causes if c.stalled), None) or next(iter(causes), None)


def is_told(pods: Iterable[Manifest], reasons: frozenset[str]) -> bool:
    """Return whether any pod has one of the reasons not to serve."""
    return any(cause.reason in reasons for pod in pods for cause in _causes(pod))


def fetched_model(pod: Manifest, container: str) -> Manifest | None:
    """Return what the fetcher reported of a model's files: sha256, bytes and files; None before it is done."""
    for status in dig(pod, "status", "initContainerStatuses") or []:
        if status["name"] != container:
            continue
        report = _report(dig(status, "state", "terminated"))
        if report and report["reason"] == "Fetched" and report.keys() >= {"sha256", "bytes", "files"}:
            return report
    return None


def is_ready(pod: Manifest) -> bool:
    """Return whether the pod takes traffic."""
    return _pod_condition(pod, "Ready").get("status") == "True" and not is_leaving(pod)


def is_leaving(pod: Manifest) -> bool:
    """Return whether the pod is being deleted, or has ended and stays only as a record, as evicted pods do."""
    return "deletionTimestamp" in pod["metadata"] or dig(pod, "status", "phase") in FINISHED_PHASES


def _causes(pod: Manifest) -> Iterator[Cause]:
    if is_leaving(pod) or is_ready(pod):
        return
    scheduled = _pod_condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        yield Cause("Unschedulable", f"No node can take the pod: {_sentence(scheduled.get('message'))}")
    for status in dig(pod, "status", "initContainerStatuses") or []:
        yield from _container_causes(status, may_end=True)
    for status in dig(pod, "status", "containerStatuses") or []:
        yield from _container_causes(status, may_end=False)


def _container_causes(status: Manifest, *, may_end: bool) -> Iterator[Cause]:
    waiting = dig(status, "state", "waiting") or {}
    if cause := _waiting_cause(waiting, status.get("image", "")):
        yield cause
    ended = dig(status, "state", "terminated") or dig(status, "lastState", "terminated")
    if ended and not (may_end and ended["exitCode"] == 0):
        yield _ended_cause(ended, status["name"])


def _waiting_cause(waiting: Manifest, image: str) -> Cause | None:
    reason, message = waiting.get("reason", ""), _sentence(_BACK_OFF.sub("", waiting.get("message") or ""))
    if reason in IMAGE_REASONS:
        return Cause("ImageUnavailable", f"The image {image} cannot be pulled: {message}")
    if reason in CONFIG_REASONS:
        return Cause("ContainerConfigInvalid", f"The container cannot be configured: {message}")
    if reason in START_REASONS:
        return Cause("ContainerStartFailed", f"The container cannot be started: {message}")
    return None


def _ended_cause(ended: Manifest, container: str) -> Cause:
    if ended.get("reason") in START_REASONS:
        return Cause("ContainerStartFailed", f"The container cannot be started: {_sentence(ended.get('message'))}")
    if ended.get("reason") == "OOMKilled":
        return Cause(
            "OutOfMemory",
            f"The {container} container was killed for using more memory than its limit; "
            "raise spec.resources.limits.memory.",
        )
    if report := _report(ended):
        reason = report["reason"]
        return Cause(reason, _sentence(str(report.get("message") or reason)), stalled=reason in HOPELESS)
    code, words = ended["exitCode"], _last_words(ended.get("message")) or "it left no message; see its log."
    return Cause("ContainerCrashed", f"The {container} container ended with exit code {code}: {words}")


def _report(ended: Manifest | None) -> Manifest | None:
    """Return the JSON that a container of ours left as its last line, or None.

    The line may as well be the log of somebody's own code, so its reason has to be fit for a condition.
    """
    lines = ((ended or {}).get("message") or "").strip().splitlines()
    try:
        report = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    reason = report.get("reason") if isinstance(report, dict) else None
    return report if isinstance(reason, str) and _REASON.fullmatch(reason) else None


def _pod_condition(pod: Manifest, kind: str) -> Manifest:
    conditions = dig(pod, "status", "conditions") or []
    return next((c for c in conditions if c["type"] == kind), {})


def _last_words(text: str | None) -> str:
    """Return the end of a log on one line: that is where a traceback says what was wrong."""
    line = " ".join((text or "").split())
    return _sentence(line if len(line) < MESSAGE_LIMIT else f"…{line[2 - MESSAGE_LIMIT :]}")


def _sentence(text: str | None) -> str:
    """Return the text on one line, short enough for a condition and ended like a sentence."""
    line = " ".join((text or "").split())
    if len(line) > MESSAGE_LIMIT:
        return f"{line[: MESSAGE_LIMIT - 1]}…"
    return line if line[-1:] in {"", ".", "!", "?"} else f"{line}."
