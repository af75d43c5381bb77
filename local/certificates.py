"""The cluster's certificate authority, what it signs, and the kubeconfigs that carry it."""

import base64
import json
from pathlib import Path

from local.cluster import Cluster
from local.shell import run, write

# Kubernetes' built-in RBAC rules name these subjects.
CLIENTS = {
    "admin": "/O=system:masters/CN=admin",
    "kube-controller-manager": "/CN=system:kube-controller-manager",
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kube-proxy": "/CN=system:kube-proxy",
    "coredns": "/CN=system:coredns",
}

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout")


def issue(cluster: Cluster) -> Path:
    """The folder with the cluster's certificates and kubeconfigs, made once."""
    folder = cluster.data / "pki"
    if cluster.kubeconfig.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    create_authority(folder)
    create_service_account_key(folder)
    names = "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
    names += f",DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:{cluster.address('0.1')}"
    sign(folder, "kube-apiserver", "/O=system:masters/CN=kube-apiserver", f"{names},IP:{cluster.node_ip}")
    sign(folder, "kubelet", f"/O=system:nodes/CN=system:node:{cluster.name}", f"IP:{cluster.node_ip}")
    for name, subject in CLIENTS.items():
        sign(folder, name, subject)
    for name in ("kubelet", *CLIENTS):
        write(folder / f"{name}.kubeconfig", kubeconfig(cluster, name))
    # Last, because it is what tells a finished folder from an interrupted one.
    write(cluster.kubeconfig, kubeconfig(cluster, "admin")).chmod(0o600)
    return folder


def create_authority(folder: Path) -> None:
    """Makes ca.crt and ca.key."""
    # Strict verifiers, Python's among them, ask for the key usage; openssl does not set it by itself.
    about = ("-days", "3650", "-subj", "/CN=modelfleet", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    run("openssl", "req", "-x509", *about, *NEW_KEY, folder / "ca.key", "-out", folder / "ca.crt")


def create_service_account_key(folder: Path) -> None:
    """Makes the key pair of service-account tokens; RSA, which every verifier of such tokens knows."""
    run("openssl", "genrsa", "-out", folder / "sa.key", "2048")
    run("openssl", "rsa", "-in", folder / "sa.key", "-pubout", "-out", folder / "sa.pub")


def sign(folder: Path, name: str, subject: str, names: str = "") -> None:
    """Makes NAME.crt and NAME.key, good for both ends of a connection."""
    extensions = ["extendedKeyUsage=serverAuth,clientAuth", "basicConstraints=critical,CA:FALSE"]
    extensions += [f"subjectAltName={names}"] if names else []
    flags = [flag for extension in extensions for flag in ("-addext", extension)]
    authority = ("-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-days", "3650", "-subj", subject)
    made = (*NEW_KEY, folder / f"{name}.key", "-out", folder / f"{name}.crt")
    run("openssl", "req", "-x509", *authority, *flags, *made)


def kubeconfig(cluster: Cluster, name: str) -> str:
    """A self-contained kubeconfig for one client; JSON, which every reader of YAML takes."""
    folder = cluster.data / "pki"
    user = {
        "client-certificate-data": encode(folder / f"{name}.crt"),
        "client-key-data": encode(folder / f"{name}.key"),
    }
    server = {"server": cluster.server, "certificate-authority-data": encode(folder / "ca.crt")}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster.name, "cluster": server}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": cluster.name, "context": {"cluster": cluster.name, "user": name}}],
        "current-context": cluster.name,
    }
    return json.dumps(content, indent=2)


def encode(path: Path) -> str:
    """A file's content in base64."""
    return base64.b64encode(path.read_bytes()).decode()
