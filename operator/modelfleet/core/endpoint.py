"""The endpoint: the objects that bring requests to the pods of each track, and what a Gateway makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment
from modelfleet.core.decision import Decision, Route
from modelfleet.core.diagnosis import Cause
from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.observed import Observed
from modelfleet.core.rollout import Phase
from modelfleet.core.views import ConfigMapView, HTTPRouteView, ServiceView

NOT_ACCEPTED = "RouteNotAccepted"


def services(owner: ModelDeployment) -> Iterator[ServiceView]:
    """Yield the Service of all pods, and those of one track where a Gateway or a mirror tells them apart."""
    service = owner.spec.service
    selector = names.pod_selector(owner.name)
    yield ServiceView(owner.name, selector, service.type, service.port, service.annotations)
    if owner.spec.gateway:
        yield _of_track(owner, names.STABLE)
    if owner.spec.gateway or mirrors(owner):
        yield _of_track(owner, names.CANARY)


def routes(owner: ModelDeployment, decision: Decision) -> Iterator[HTTPRouteView]:
    """Yield the route of a Gateway, if there is one, with the shares as they are decided."""
    if gateway := owner.spec.gateway:
        shares = {names.STABLE: 100 - decision.weight, names.CANARY: decision.weight}
        weights = {names.track_service(owner.name, track): share for track, share in shares.items()}
        port = owner.spec.service.port
        yield HTTPRouteView(owner.name, gateway.parent_ref, gateway.hostnames, weights, port)


def live_settings(owner: ModelDeployment, decision: Decision) -> Iterator[ConfigMapView]:
    """Yield what stable pods follow without a restart: to copy requests as long as there is a canary."""
    shadow = owner.spec.rollout.shadow if owner.spec.rollout else None
    if shadow is None:
        return
    rollout = decision.rollout
    is_on = decision.canary is not None and rollout is not None and rollout.phase is Phase.CANARY
    host = f"{names.track_service(owner.name, names.CANARY)}.{owner.namespace}.svc"
    url = f"http://{host}:{owner.spec.service.port}"
    mirror = {"url": url, "percent": shadow.percent, "tolerance": shadow.tolerance}
    settings = json.dumps({"mirror": mirror} if is_on else {})
    yield ConfigMapView(names.live_settings(owner.name), {"live.yaml": settings})


def mirrors(owner: ModelDeployment) -> bool:
    """Return whether stable pods are ever asked to copy requests."""
    return owner.spec.rollout is not None and owner.spec.rollout.shadow is not None


def route_of(owner: ModelDeployment, observed: Observed) -> Route | None:
    """Return what the Gateway says of the route as it stands, or None where there is no Gateway."""
    if owner.spec.gateway is None:
        return None
    live = observed.children.get(("HTTPRoute", owner.name))
    if live is None:
        return Route(None)
    parents: list[Manifest] = dig(live, "status", "parents") or []
    if not parents:
        return Route(None, _unseen(owner))
    # Several controllers may have a say; it takes one that accepts.
    said = [_route(owner, live, parent) for parent in parents]
    return next((route for route in said if route.weight is not None), said[0])


def _of_track(owner: ModelDeployment, track: str) -> ServiceView:
    name, selector = names.track_service(owner.name, track), names.track_selector(owner.name, track)
    return ServiceView(name, selector, "ClusterIP", owner.spec.service.port, {})


def _route(owner: ModelDeployment, live: Manifest, parent: Manifest) -> Route:
    judged = [c for c in parent.get("conditions", []) if c["type"] in {"Accepted", "ResolvedRefs"}]
    if refusal := next((condition for condition in judged if condition["status"] != "True"), None):
        return Route(None, _refused(owner, refusal))
    generation = live["metadata"]["generation"]
    is_current = bool(judged) and all(c.get("observedGeneration", generation) >= generation for c in judged)
    return Route(_weight(owner, live) if is_current else None)


def _weight(owner: ModelDeployment, live: Manifest) -> int | None:
    canary = names.track_service(owner.name, names.CANARY)
    backends = (ref for rule in dig(live, "spec", "rules") or [] for ref in rule.get("backendRefs", []))
    return next((ref["weight"] for ref in backends if ref["name"] == canary), None)


def gateway_obstacle(owner: ModelDeployment, observed: Observed) -> Cause | None:
    """Return what forbids touching any object where the cluster has no Gateways."""
    if owner.spec.gateway is None or observed.has_gateway_api:
        return None
    message = (
        "spec.gateway needs the Gateway API, which this cluster does not have: install its resource definitions "
        "(gateway.networking.k8s.io/v1) and a controller for them, or leave gateway out."
    )
    return Cause("GatewayApiMissing", message, stalled=True)


def _unseen(owner: ModelDeployment) -> Cause:
    message = (
        f"No Gateway has taken the HTTPRoute {owner.name} yet: check that {_gateway(owner)} exists, and that its "
        f"listeners allow routes from namespace {owner.namespace}."
    )
    return Cause(NOT_ACCEPTED, message)


def _refused(owner: ModelDeployment, condition: Manifest) -> Cause:
    told = " ".join(str(condition.get("message") or "").split()).rstrip(".")
    message = f"{_gateway(owner)} does not take the HTTPRoute {owner.name} ({condition['reason']}): {told}."
    return Cause(NOT_ACCEPTED, message[0].upper() + message[1:])


def _gateway(owner: ModelDeployment) -> str:
    ref = owner.spec.gateway.parent_ref if owner.spec.gateway else {}
    return f"the Gateway {ref['name']} in namespace {ref.get('namespace', owner.namespace)}"
