"""The Kubernetes objects that a cluster starts with."""

from typing import Any

from local import api
from local.cluster import Cluster

Port = tuple[str, int, str]

DNS_READER = [
    {"apiGroups": [""], "resources": ["services", "namespaces"], "verbs": ["list", "watch"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
]


def apply_dns(cluster: Cluster) -> None:
    """Lets CoreDNS read Services, and puts it where pods look for it."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "system:coredns"}}
    api.apply(cluster, f"{rbac}/clusterroles", {**kind, "kind": "ClusterRole", "rules": DNS_READER})
    group = "rbac.authorization.k8s.io"
    role = {"apiGroup": group, "kind": "ClusterRole", "name": "system:coredns"}
    user = {"apiGroup": group, "kind": "User", "name": "system:coredns"}
    binding = {**kind, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": [user]}
    api.apply(cluster, f"{rbac}/clusterrolebindings", binding)
    ports = [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP")]
    apply_service(cluster, "kube-system", "kube-dns", ports, {"clusterIP": cluster.dns})


def apply_namespace(cluster: Cluster, name: str) -> None:
    """Makes sure of a namespace."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    api.apply(cluster, "/api/v1/namespaces", manifest)


def apply_service(
    cluster: Cluster,
    namespace: str,
    name: str,
    ports: list[Port],
    spec: dict[str, Any] | None = None,
    *,
    address: str = "",
) -> None:
    """Makes a Service for a program that runs beside the control plane, this one's or that at an address."""
    listed = [{"name": name, "port": port, "protocol": protocol} for name, port, protocol in ports]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"ports": listed, **(spec or {})},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address or cluster.node_ip]}],
        "ports": listed,
    }
    api.apply(cluster, f"/api/v1/namespaces/{namespace}/services", service)
    api.apply(cluster, f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", endpoints)
