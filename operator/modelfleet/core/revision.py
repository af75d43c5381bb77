"""A revision: the name of everything a user said that shapes the pods.

It is a hash of the user's inputs and never of rendered YAML, so that upgrading the operator restarts
nobody's pods (argo-rollouts #4696 and its family).
"""

import hashlib
from dataclasses import asdict, replace

from modelfleet.core.api import Model, Spec
from modelfleet.core.manifest import Manifest, canonical_json


def revision_of(spec: Spec) -> str:
    """Return ten hex digits that change exactly when the pods have to, of a spec whose models are resolved.

    Replicas, the Service and the deletion policy are applied to what runs and start no rollout.
    """
    inputs = {
        **_models(spec),
        "image": spec.image,
        "resources": spec.resources,
        "env": spec.env,
        "pod": spec.pod,
    }
    return hashlib.sha256(canonical_json(_stated(inputs)).encode()).hexdigest()[:10]


def _models(spec: Spec) -> Manifest:
    """Return the models; one alone as it was before there could be several, so that its revision stays."""
    one, *others = map(_model, spec.models)
    return {"models": [one, *others]} if others else {"model": one}


def _model(model: Model) -> Manifest:
    """Return what the pods get to see of a model; where it was looked up is not of their business."""
    return _stated(asdict(replace(model, workspace=None)))


def _stated(inputs: Manifest) -> Manifest:
    """Return what was said: a field that a later release adds must not change the revisions of today."""
    return {name: value for name, value in inputs.items() if value}
