"""What differs between the pods of two revisions, as a unified diff of YAML.

Pod templates name Secrets and never hold what is in them, so nothing secret can be shown.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import yaml

from modelfleet.cli.refusal import Refused
from modelfleet.core.manifest import Manifest
from modelfleet.core.observed import Deployment

_WIDTH = 1000


@dataclass(frozen=True, slots=True)
class Pods:
    """The pod template of a revision, and where it is."""

    revision: str
    place: str
    template: Manifest


def pair(stable: Deployment, canary: Deployment | None, revision: str = "") -> tuple[Pods, Pods]:
    """Return the pods to compare: what serves, and the canary's or the named ones, the older of the two first.

    Without a canary and a name, what served before is meant. Raises Refused.
    """
    serving = _found(stable, stable.revision, "serves")
    if canary and canary.revision != stable.revision and revision in {"", canary.revision}:
        return serving, _found(canary, canary.revision, "canary")
    wanted = revision or stable.previous_revision
    if not wanted:
        raise Refused(
            f"There is nothing to compare revision {stable.revision} with: no other runs or is recorded."
        )
    if wanted == stable.revision:
        raise Refused(f"Revision {wanted} is the one that serves: name another, or none.")
    return _found(stable, wanted, "before"), serving


def unified(before: Pods, after: Pods) -> list[str]:
    """Return the lines of the difference."""
    old, new = (_text(pods.template) for pods in (before, after))
    lines = difflib.unified_diff(old, new, _label(before), _label(after), lineterm="")
    return list(lines) or [f"The pods of revisions {before.revision} and {after.revision} are the same."]


def _found(deployment: Deployment, revision: str, place: str) -> Pods:
    template = deployment.template_of(revision)
    if template is None:
        known = ", ".join(filter(None, (deployment.revision, deployment.previous_revision)))
        raise Refused(f"The pods of revision {revision} are not recorded; those that are: {known}.")
    return Pods(revision, place, template)


def _text(template: Manifest) -> list[str]:
    return str(yaml.safe_dump(template, sort_keys=True, width=_WIDTH, allow_unicode=True)).splitlines()


def _label(pods: Pods) -> str:
    return f"{pods.revision} ({pods.place})"
