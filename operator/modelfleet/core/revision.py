"""A revision: the name of everything a user said that shapes the pods.

It is a hash of the user's inputs and never of rendered YAML, so that upgrading the operator restarts
nobody's pods (argo-rollouts #4696 and its family).
"""

import hashlib
from dataclasses import asdict

from modelfleet.core.api import Spec
from modelfleet.core.manifest import Manifest, canonical_json


def revision_of(spec: Spec) -> str:
    """Return ten hex digits that change exactly when the pods have to.

    Replicas, the Service and the deletion policy are applied to what runs and start no rollout.
    """
    inputs = {
        "model": _stated(asdict(spec.model)),
        "image": spec.image,
        "resources": spec.resources,
        "env": spec.env,
        "pod": spec.pod,
    }
    return hashlib.sha256(canonical_json(_stated(inputs)).encode()).hexdigest()[:10]


def _stated(inputs: Manifest) -> Manifest:
    """Return what was said: a field that a later release adds must not change the revisions of today."""
    return {name: value for name, value in inputs.items() if value}
