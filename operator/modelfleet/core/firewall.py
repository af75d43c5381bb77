"""The pods' NetworkPolicy: where they fetch models from, and whom else they may reach."""

from __future__ import annotations

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment, Spec
from modelfleet.core.endpoint import mirrors
from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.observed import Observed
from modelfleet.core.views import NetworkPolicyView

DNS_PORT = 53
HTTPS_PORT = 443


def network_policy(owner: ModelDeployment, observed: Observed, *, is_settled: bool) -> NetworkPolicyView:
    """Return the policy. While revisions change, pods of the one before may start anew, and keep what they had."""
    live = None if is_settled else observed.children.get(("NetworkPolicy", owner.name))
    rules: list[Manifest] = dig(live, "spec", "egress") or []
    return NetworkPolicyView(
        name=owner.name,
        selector=names.pod_selector(owner.name),
        egress_ports=tuple(sorted({*_ports(owner.spec), *_tcp_ports(rules)} - {DNS_PORT})),
        in_cluster=any(model.in_cluster for model in owner.spec.models) or any(map(_is_in_cluster, rules)),
        mirrors=mirrors(owner),
    )


def _ports(spec: Spec) -> set[int]:
    """Return the TCP ports of the storage, and Entra's where a token has to be had."""
    signs_in = any(model.secret_name or model.workload_identity or model.workspace for model in spec.models)
    return {*(model.port for model in spec.models), *((HTTPS_PORT,) if signs_in else ())}


def _tcp_ports(rules: list[Manifest]) -> set[int]:
    """Return the ports that may be reached anywhere."""
    anywhere = (rule for rule in rules if "to" not in rule)
    return {port["port"] for rule in anywhere for port in rule.get("ports", []) if port["protocol"] == "TCP"}


def _is_in_cluster(rule: Manifest) -> bool:
    return any("namespaceSelector" in peer for peer in rule.get("to", []))
