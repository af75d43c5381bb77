"""Observed: what the world looks like for one ModelDeployment at the moment of planning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from modelfleet.core import names
from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.registered import Signed

ChildKey = tuple[str, str]
"""A child's kind and name; children live in their owner's namespace."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Every object that the plan depends on.

    ``children`` are the objects that carry the owner's label, ``credentials`` the user's Secrets that the spec
    names (None for one that is absent), ``autoscaled`` tells whether a HorizontalPodAutoscaler owns the replicas,
    ``signed`` are the addresses that open the models of registries, by the model's name, ``has_gateway_api``
    whether the cluster knows what an HTTPRoute is, and ``samples`` is the user's ConfigMap of golden samples,
    where pods in other clusters need a copy.
    """

    children: Mapping[ChildKey, Manifest] = field(default_factory=dict)
    pods: tuple[Manifest, ...] = ()
    credentials: Mapping[str, Manifest | None] = field(default_factory=dict)
    autoscaled: bool = False
    signed: Mapping[str, Signed] = field(default_factory=dict)
    has_gateway_api: bool = True
    samples: Manifest | None = None

    def deployment(self, name: str) -> Deployment | None:
        """Return the named Deployment, or None while there is none."""
        manifest = self.children.get(("Deployment", name))
        return Deployment(manifest) if manifest else None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A live Deployment, with the questions that planning asks of it."""

    manifest: Manifest

    @property
    def revision(self) -> str:
        """Return the revision that its pod template was made for."""
        return dig(self.manifest, "metadata", "annotations", names.REVISION) or ""

    @property
    def pod_template(self) -> Manifest | None:
        """Return the pod template as it was applied, or None where the record is gone or damaged."""
        return _recorded(self.manifest, names.TEMPLATE)

    @property
    def previous_revision(self) -> str:
        """Return the revision whose pod template is kept to go back to, or nothing."""
        return str((_recorded(self.manifest, names.PREVIOUS) or {}).get("revision", ""))

    def template_of(self, revision: str) -> Manifest | None:
        """Return the recorded pod template of a revision; None where there is none.

        That of what runs can be read off where its record is gone.
        """
        if revision == self.revision:
            return self.pod_template or dig(self.manifest, "spec", "template")
        previous = _recorded(self.manifest, names.PREVIOUS) or {}
        return previous.get("template") if previous.get("revision") == revision else None

    @property
    def replicas(self) -> int:
        """Return the number of pods asked for."""
        value = dig(self.manifest, "spec", "replicas")
        return 1 if value is None else value

    @property
    def image(self) -> str:
        """Return the server image of the pod template."""
        containers = dig(self.manifest, "spec", "template", "spec", "containers") or []
        return next((c["image"] for c in containers if c["name"] == "server"), "")

    def count(self, field_name: str) -> int:
        """Return a counter of the status, such as ``readyReplicas``."""
        return dig(self.manifest, "status", field_name) or 0

    @property
    def observed(self) -> bool:
        """Return whether the status is about the present spec; right after an apply it is about the one before."""
        seen: int = dig(self.manifest, "status", "observedGeneration") or 0
        return bool(seen >= self.manifest["metadata"]["generation"])

    def condition(self, kind: str) -> Manifest:
        """Return the condition of a type, or an empty mapping where nobody has judged the present spec yet."""
        conditions = (dig(self.manifest, "status", "conditions") or []) if self.observed else []
        return next((c for c in conditions if c["type"] == kind), {})

    @property
    def settled(self) -> bool:
        """Return whether every pod asked for is of the current template, and available, and no other is left."""
        counts = {self.count(name) for name in ("updatedReplicas", "availableReplicas", "replicas")}
        return self.observed and counts == {self.replicas}

    @property
    def completed(self) -> bool:
        """Return whether the rollout to the current template came to its end once, whatever has happened since."""
        return self.condition("Progressing").get("reason") == "NewReplicaSetAvailable"

    @property
    def deadline_exceeded(self) -> bool:
        """Return whether the rollout made no progress for ``progressDeadlineSeconds``."""
        return self.condition("Progressing").get("reason") == "ProgressDeadlineExceeded"

    @property
    def owns_replicas(self) -> bool:
        """Return whether the operator's regular field manager still owns ``spec.replicas``."""
        managers = dig(self.manifest, "metadata", "managedFields") or []
        return any(
            m.get("manager") == names.FIELD_MANAGER and dig(m, "fieldsV1", "f:spec", "f:replicas") is not None
            for m in managers
        )


def _recorded(manifest: Manifest, annotation: str) -> Manifest | None:
    try:
        found = json.loads(dig(manifest, "metadata", "annotations", annotation) or "null")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
