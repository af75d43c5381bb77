"""The facts that a rollout is decided on, taken from what is observed."""

from __future__ import annotations

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment
from modelfleet.core.commands import read_commands
from modelfleet.core.decision import Facts
from modelfleet.core.diagnosis import Cause, diagnose
from modelfleet.core.endpoint import route_of
from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.observed import Observed
from modelfleet.core.revision import revision_of
from modelfleet.core.rollout import read_rollout, rejection, succeeded
from modelfleet.core.verdict import pods_of


def facts_of(owner: ModelDeployment, observed: Observed) -> Facts:
    """Return everything but the counters, of an owner whose models are resolved."""
    target = revision_of(owner.spec)
    stable = observed.deployment(owner.name)
    return Facts(
        target=target,
        label=owner.label,
        replicas=stable.replicas if stable and observed.autoscaled else owner.spec.replicas,
        stable=stable,
        canary=observed.deployment(names.canary_deployment(owner.name)),
        route=route_of(owner, observed),
        cause=diagnose(pods_of(target, observed)),
        good=succeeded(owner.status),
        served=owner.status.get("stableRevision", ""),
        rejected=rejection(owner.status, target),
        commands=read_commands(owner.body),
        rollout=read_rollout(owner.status),
    )


def needs_samples(facts: Facts, owner: ModelDeployment) -> bool:
    """Return whether a canary may be about to begin whose pods have golden samples to answer."""
    is_idle = facts.rollout is None and facts.stable is not None and facts.stable.revision != facts.target
    return is_idle and owner.spec.rollout is not None and bool(owner.spec.rollout.samples)


def samples_missing(owner: ModelDeployment) -> Cause:
    """Return what keeps such a canary from beginning where there are no samples."""
    name = owner.spec.rollout.samples if owner.spec.rollout else ""
    return Cause(
        "SamplesMissing",
        f"The ConfigMap {name} named in spec.rollout.analysis.smoke does not exist in namespace "
        f"{owner.namespace}; create it, or leave smoke out.",
    )


def pods_by_track(owner: ModelDeployment, observed: Observed) -> tuple[list[Manifest], list[Manifest]]:
    """Return the stable pods, and the canary's pods of the revision that is asked for."""
    canaries = [pod for pod in pods_of(revision_of(owner.spec), observed) if _track(pod) == names.CANARY]
    return [pod for pod in observed.pods if _track(pod) == names.STABLE], canaries


def _track(pod: Manifest) -> str:
    return dig(pod, "metadata", "labels", names.TRACK) or ""
