"""How a ModelDeployment is doing, drawn as text from the object and the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from modelfleet.cli import times
from modelfleet.cli.layout import Branch, columns, facts, leaves, tree
from modelfleet.core.commands import VERBS, read_commands
from modelfleet.core.conditions import find
from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.rollout import Phase, read_rollout

UNSEEN = "The operator has not looked at it yet."
STALE = "The operator has not seen the latest edit yet; this is about the one before."
PAUSED = "spec.rollout.paused is true: no further step begins"
HEADINGS = ("NAME", "PHASE", "PROGRESS", "MODELS", "TARGET", "STABLE", "WAITING FOR")
LOCAL = "local"


def picture(body: Manifest, now: datetime) -> list[str]:
    """Return the lines that tell how one ModelDeployment is doing."""
    branches = tuple(_region(name, {**body, "status": status}, now) for name, status in regions(body))
    return [*facts(_head(body)), "", *tree(Branch(body["metadata"]["name"], branches))]


def table(bodies: Sequence[Manifest], *, with_namespaces: bool, now: datetime) -> list[str]:
    """Return a line for each ModelDeployment below the headings."""
    rows = [HEADINGS, *(_row(body, now) for body in bodies)]
    places = ["NAMESPACE", *(body["metadata"]["namespace"] for body in bodies)]
    return columns([(place, *row) for place, row in zip(places, rows, strict=True)] if with_namespaces else rows)


def summary(body: Manifest) -> str:
    """Return how it is doing, in a sentence or two."""
    status = body.get("status", {})
    return f"It is {status['phase']}: {status.get('message', '')}".rstrip() if "phase" in status else UNSEEN


def models_of(status: Manifest, revision: str) -> str:
    """Return what a revision serves, in words; nothing where the status does not tell."""
    known = [dig(status, "rollout"), *status.get("history", []), *status.get("rejected", [])]
    told = (entry.get("models", "") for entry in known if entry and entry.get("revision") == revision)
    of_target = _models(status) if revision == status.get("revision") else ""
    return next(filter(None, told), of_target)


def regions(body: Manifest) -> Iterator[tuple[str, Manifest]]:
    """Yield where it is to serve, with the status of each."""
    status = body.get("status", {})
    if "regions" not in status:
        yield LOCAL, status
    for entry in status.get("regions", ()):
        yield entry["name"], entry


def _row(body: Manifest, now: datetime) -> tuple[str, ...]:
    status = body.get("status", {})
    phase, progress, target, stable = (
        status.get(name, "") for name in ("phase", "progress", "revision", "stableRevision")
    )
    return body["metadata"]["name"], phase, progress, _models(status), target, stable, _waiting(status, now)


# What is at the top


def _head(body: Manifest) -> list[tuple[str, str]]:
    status, metadata = body.get("status", {}), body["metadata"]
    return [
        ("Name", metadata["name"]),
        ("Namespace", metadata["namespace"]),
        ("Phase", _phase(status)),
        ("Message", status.get("message") or UNSEEN),
        ("Note", STALE if _is_stale(body) else ""),
        ("Target", _revision(status, status.get("revision", ""))),
        ("Stable", _revision(status, status.get("stableRevision", ""))),
        ("Waves", _waves(dig(status, "rollout", "waves") or [], dig(status, "rollout", "wave") or "")),
        ("Endpoint", status.get("endpoint", "")),
        ("Next", dig(status, "waitingFor", "hint") or ""),
    ]


def _waves(waves: Sequence[Manifest], current: str) -> str:
    """Return the waves in their order, the one that has not ended first of all in brackets."""
    told = (f"{wave['name']} ({', '.join(wave['regions'])})" for wave in waves)
    names = [wave["name"] for wave in waves]
    return " → ".join(f"[{text}]" if name == current else text for name, text in zip(names, told, strict=True))


def _phase(status: Manifest) -> str:
    reason = find(status.get("conditions", []), "Ready").get("reason")
    return f"{status['phase']} ({reason})" if reason and "phase" in status else status.get("phase", "")


def _is_stale(body: Manifest) -> bool:
    status = body.get("status", {})
    return "phase" in status and status.get("observedGeneration") != body["metadata"].get("generation")


def _revision(status: Manifest, revision: str) -> str:
    return ", ".join(filter(None, (revision, models_of(status, revision)))) if revision else ""


def _models(status: Manifest) -> str:
    models = (f"{model['name']} version {model.get('version', '')}" for model in status.get("models", []))
    return ", ".join(model.removesuffix(" version ") for model in models)


# What is in the tree


def _region(name: str, body: Manifest, now: datetime) -> Branch:
    status = body.get("status", {})
    rollout = [_rollout(status, now)] if status.get("rollout") else []
    rejected = [_rejected(status, now)] if status.get("rejected") else []
    notes = leaves(
        [
            (
                "unreachable",
                f"since {times.told(status['unreachableSince'], now)}" if "unreachableSince" in status else "",
            ),
            ("waiting for", _waiting(status, now)),
            ("asked for", _asked(body)),
            ("paused", PAUSED if dig(body, "spec", "rollout", "paused") else ""),
        ]
    )
    return Branch(f"{name}{_place(status)}: {_pods(status)}", (*rollout, *notes, *rejected))


def _place(status: Manifest) -> str:
    """Return the cluster of a region, and what it serves."""
    told = [
        status.get("cluster", ""),
        _revision(status, status.get("stableRevision", "")),
        status.get("phase", ""),
    ]
    return f" ({', '.join(filter(None, told))})" if "cluster" in status else ""


def _pods(status: Manifest) -> str:
    total = status.get("replicas", 0)
    return f"{status.get('readyReplicas', 0)} of {_count(total)} ready" if total else "no stable pods"


def _count(pods: int) -> str:
    return "1 stable pod" if pods == 1 else f"{pods} stable pods"


def _waiting(status: Manifest, now: datetime) -> str:
    waiting = status.get("waitingFor", {})
    until = f", until {times.told(waiting['until'], now)}" if "until" in waiting else ""
    return f"{waiting.get('reason', '')}{until}"


def _asked(body: Manifest) -> str:
    """Return which commands are on the object and not carried out, of those that mean what is under way."""
    commands, rollout = read_commands(body), read_rollout(body.get("status", {}))
    revision = rollout.revision if rollout else dig(body, "status", "revision") or ""
    number = rollout.number if rollout else 0
    return ", ".join(verb for verb in VERBS if revision and commands.asks(verb, revision, number))


def _rejected(status: Manifest, now: datetime) -> Branch:
    entries = (
        f"{_revision(status, entry['revision'])}: {entry['reason']}, {times.told(entry['at'], now)}"
        for entry in status["rejected"]
    )
    return Branch("rejected, and tried again only when asked for by retry", tuple(map(Branch, entries)))


def _rollout(status: Manifest, now: datetime) -> Branch:
    entry = status["rollout"]
    pairs = [
        *_shares(entry, dig(entry, "canary") or {}),
        ("in this phase" if _step(entry) == "" else "in this step", f"since {times.told(entry['since'], now)}"),
        ("pods ready", f"since {times.told(entry['readySince'], now)}" if "readySince" in entry else ""),
        ("baked for", _baked(entry, now)),
        ("analysis", _analysis(entry.get("analysis", {}), now)),
        ("failed by", _failure(entry.get("failure"))),
        ("way back", _revision(status, entry.get("previous", ""))),
    ]
    begun = times.told(entry["startedAt"], now)
    return Branch(f"rollout of {entry['revision']}: {entry['phase']}{_step(entry)}, begun {begun}", leaves(pairs))


def _step(entry: Manifest) -> str:
    is_stepping = entry["phase"] == Phase.CANARY and "steps" in entry
    return f", step {entry['step']} of {entry['steps']}" if is_stepping else ""


def _shares(entry: Manifest, canary: Manifest) -> Iterator[tuple[str, str]]:
    asked, share, seen = (canary.get(f"{name}Percent") for name in ("desired", "pod", "request"))
    yield "asked", f"{asked} % of the requests" if asked is not None else ""
    pods = f"{canary.get('readyReplicas', 0)} of {canary['replicas']} ready" if "replicas" in canary else ""
    yield "canary pods", pods + (f", {share} % of all pods" if pods and share is not None else "")
    when = "when the step before ended" if _step(entry) else "when the last step ended"
    yield "seen", f"{seen} % of the requests, {when}" if seen is not None else ""


def _baked(entry: Manifest, now: datetime) -> str:
    if entry["phase"] != Phase.BAKING:
        return ""
    ready = times.read(entry.get("readySince", ""))
    return times.span(timedelta(seconds=entry.get("bakedSeconds", 0)) + (now - ready if ready else timedelta()))


def _analysis(analysis: Manifest, now: datetime) -> str:
    if "outcome" not in analysis:
        return ""
    checked = f", {times.told(analysis['checkedAt'], now)}" if "checkedAt" in analysis else ""
    return f"{analysis['outcome']} ({analysis.get('reason', '')}){checked}: {analysis.get('message', '')}"


def _failure(failure: Any) -> str:
    return f"{failure['reason']}: {failure['message']}" if failure else ""
