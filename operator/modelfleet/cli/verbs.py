"""What people can ask a rollout for: which patch says it, or in a sentence why there is nothing to ask for.

The annotations are the API (``core/commands.py``): there is no second way by which a command reaches the operator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from modelfleet.cli.picture import regions, summary
from modelfleet.cli.refusal import Refused
from modelfleet.core import names
from modelfleet.core.commands import read_commands
from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.rollout import Phase, Rollout, read_rollout, rejection

READY = frozenset({"AnalysisInconclusive", "ApprovalNeeded", "CanaryRunning", "Frozen", "Paused"})
"""What a step of a canary waits for when its pods are ready."""


@dataclass(frozen=True, slots=True)
class Request:
    """A merge patch, and what it asks for in a sentence. An empty patch is not sent: all is so already."""

    patch: Manifest
    sentence: str


def promote(body: Manifest, now: datetime) -> Request:
    """Ask for the end of the wait that there is, or that comes when the pods of the step are ready."""
    del now
    body = _focus(body)
    rollout = _under_way("promote", body)
    if rollout.phase is Phase.PROMOTING and not rollout.failure:
        raise Refused(f"There is nothing to promote: all pods of {_name(body)} are being replaced.{_state(body)}")
    value = _unused(body, "promote", f"{rollout.revision}:{rollout.number}")
    when = "without waiting any longer" if _is_ready(body, rollout) else "as soon as its pods are ready"
    return _command("promote", value, f"Asked to promote {_subject(body, rollout)}, {when}.")


def approve(body: Manifest, now: datetime) -> Request:
    """Let the step go on that waits for a person, or will."""
    del now
    if wave := _awaited_wave(body):
        value = f"{dig(body, 'status', 'rollout', 'revision')}:{wave}"
        return _command("approve", value, f"Approved wave {wave} of {_name(body)}: it begins now.")
    body = _focus(body)
    rollout = _under_way("approve", body)
    if rollout.phase is not Phase.CANARY or not dig(body, "spec", "rollout", "canary", "approval"):
        raise Refused(
            f"There is nothing to approve: no step of {_name(body)} waits for a person, nor will this one."
            f"{_state(body)}"
        )
    value = _unused(body, "approve", f"{rollout.revision}:{rollout.number}")
    awaited = dig(body, "status", "waitingFor", "reason")
    when = "at once" if awaited == "ApprovalNeeded" else "when it has passed"
    return _command("approve", value, f"Approved {_subject(body, rollout)}: it goes on {when}.")


def abort(body: Manifest, now: datetime) -> Request:
    """Ask for the way back."""
    body = _focus(body)
    rollout = _under_way("abort", body)
    back = f" and go back to revision {rollout.previous}" if rollout.previous else ""
    value = f"{rollout.revision}:{_stamp(now)}"
    return _command("abort", value, f"Asked to abort {_subject(body, rollout)}{back}.")


def retry(body: Manifest, now: datetime) -> Request:
    """Ask for another try of what was rejected, or is held because it failed."""
    body = _focus(body)
    revision = _to_retry(body)
    if not revision:
        raise Refused(
            f"There is nothing to retry: the revision that {_name(body)} asks for was not rejected.{_state(body)}"
        )
    return _command(
        "retry", f"{revision}:{_stamp(now)}", f"Asked to try revision {revision} of {_name(body)} again."
    )


def pause(body: Manifest, now: datetime) -> Request:
    """Keep further steps from beginning."""
    del now
    return _paused(body, True, "a step that has begun comes to its end, and no further one begins.")


def resume(body: Manifest, now: datetime) -> Request:
    """Let further steps begin."""
    del now
    return _paused(body, False, "the rollout goes on where it is.")


VERBS: Mapping[str, Callable[[Manifest, datetime], Request]] = {
    "approve": approve,
    "promote": promote,
    "abort": abort,
    "retry": retry,
    "pause": pause,
    "resume": resume,
}


def _awaited_wave(body: Manifest) -> str:
    """Return the wave that waits for a person; nothing if none does."""
    rollout = dig(body, "status", "rollout") or {}
    is_awaited = dig(body, "status", "waitingFor", "reason") == "ApprovalNeeded"
    waves = {wave["name"]: wave for wave in rollout.get("waves", ())}
    wave = waves.get(rollout.get("wave"), {})
    return wave["name"] if is_awaited and wave.get("approval") and not wave.get("approved") else ""


def _focus(body: Manifest) -> Manifest:
    """Return the object with the status of the region that something can be said about; a command is for all."""
    places = [{**body, "status": status} for _, status in regions(body)]
    under_way = [place for place in places if read_rollout(place["status"])]
    rejected = [place for place in places if _to_retry(place)]
    return next(iter([*under_way, *rejected]), body)


def _is_ready(body: Manifest, rollout: Rollout) -> bool:
    awaited = dig(body, "status", "waitingFor", "reason")
    return rollout.phase is not Phase.CANARY or bool(rollout.failure) or awaited in READY


def _under_way(verb: str, body: Manifest) -> Rollout:
    """Return the rollout, if there is one that goes on. Raises Refused."""
    rollout = read_rollout(body.get("status", {}))
    if rollout is None:
        raise Refused(f"There is nothing to {verb}: no rollout of {_name(body)} is under way.{_state(body)}")
    if rollout.phase is Phase.ROLLING_BACK:
        raise Refused(f"There is nothing to {verb}: {_name(body)} is going back already.{_state(body)}")
    return rollout


def _to_retry(body: Manifest) -> str:
    """Return the revision that can be tried again; nothing if none."""
    status = body.get("status", {})
    rollout, target = read_rollout(status), status.get("revision", "")
    if rollout and rollout.failure and rollout.phase is not Phase.ROLLING_BACK:
        return rollout.revision
    return target if rejection(status, target) else ""


def _unused(body: Manifest, verb: str, value: str) -> str:
    """Return a value that is still to be carried out. Each acts once; without the step it is a new one."""
    is_used = read_commands(body).done.get(verb) == value
    return value.partition(":")[0] if is_used else value


def _command(verb: str, value: str, sentence: str) -> Request:
    return Request({"metadata": {"annotations": {f"{names.GROUP}/{verb}": value}}}, sentence)


def _paused(body: Manifest, paused: bool, effect: str) -> Request:
    if dig(body, "spec", "rollout") is None:
        raise Refused(f"{_name(body)} has no spec.rollout, so its changes have no steps that could be held up.")
    told = "is paused" if paused else "is not paused"
    if bool(dig(body, "spec", "rollout", "paused")) is paused:
        return Request({}, f"{_name(body)} {told} already.")
    value = "true" if paused else "false"
    sentence = f"{_name(body)} {told} any more" if not paused else f"{_name(body)} {told}"
    note = f"Where Git holds the resource, write spec.rollout.paused: {value} there too, or it is undone."
    return Request({"spec": {"rollout": {"paused": paused}}}, f"{sentence}: {effect} {note}")


def _name(body: Manifest) -> str:
    return str(body["metadata"]["name"])


def _subject(body: Manifest, rollout: Rollout) -> str:
    steps = dig(body, "status", "rollout", "steps")
    step = f"step {rollout.number} of {steps} of " if rollout.number and steps else ""
    return f"{step}the rollout of revision {rollout.revision} of {_name(body)}"


def _state(body: Manifest) -> str:
    plain = "" if dig(body, "spec", "rollout") else " Without spec.rollout a change is made at once."
    return f"{plain} {summary(body)}"


def _stamp(now: datetime) -> str:
    return now.strftime("%Y%m%dT%H%M%SZ")
