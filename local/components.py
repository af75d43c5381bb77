"""The programs that make a cluster, with the settings each of them needs on one machine."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from local import api, build, certificates, images, objects, sandbox
from local.cluster import Cluster
from local.shell import Failure, say, wait, write

PAUSE_IMAGE = "localhost/modelfleet/pause:local"

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


Program = Callable[[Cluster], list[str]]


def start(cluster: Cluster) -> None:
    """Starts the programs that do not run, and returns when the cluster serves."""
    certificates.issue(cluster)
    start_missing(cluster, ("etcd", "kube-apiserver"))
    if cluster.node:
        start_missing(cluster, ("containerd",))
        await_part(cluster, "containerd", lambda: sandbox.serves_containers(cluster.name))
    await_part(cluster, "kube-apiserver", lambda: api.is_ready(cluster))
    start_missing(cluster, CONTROL_PLANE)
    if cluster.node:
        objects.apply_dns(cluster)
        images.load(cluster, [images.pause_archive()])
        start_missing(cluster, NODE)
        await_part(cluster, "kubelet", lambda: api.node_is_ready(cluster))
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    await_part(cluster, "kube-controller-manager", lambda: api.exists(cluster, account))


def start_missing(cluster: Cluster, names: Iterable[str]) -> None:
    """Configures and starts those of the named programs that do not run."""
    for name in names:
        if not sandbox.find(cluster.name, name):
            say(f"{cluster.name}: starting {name}")
            sandbox.start(cluster.name, log(cluster, name), *PROGRAMS[name](cluster))


def await_part(cluster: Cluster, name: str, condition: Callable[[], bool]) -> None:
    """Waits for what a program has to bring about; a Failure names its log, at once if it died."""

    def holds() -> bool:
        if not sandbox.find(cluster.name, name):
            raise Failure(f"{name} died: see {log(cluster, name)}")
        return condition()

    wait(f"{name} of {cluster.name} (see {log(cluster, name)})", holds)


def log(cluster: Cluster, name: str) -> Path:
    """The file that a program's output goes to."""
    return cluster.data / "log" / f"{name}.log"


def setting(cluster: Cluster, name: str, content: object) -> str:
    """Writes a configuration file, JSON unless it is text already, and returns its path."""
    text = content if isinstance(content, str) else json.dumps(content, indent=2)
    return str(write(cluster.data / "config" / name, text))


def pki(cluster: Cluster, name: str) -> str:
    """The path of a certificate, key or kubeconfig."""
    return str(cluster.data / "pki" / name)


def built(name: str) -> str:
    """The path of a program that was built."""
    return str(build.PROGRAMS[name].path)


def etcd(cluster: Cluster) -> list[str]:
    """The store. Nothing in a test cluster is worth an fsync."""
    return [built("etcd"), f"--data-dir={cluster.data / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn"]


def kube_apiserver(cluster: Cluster) -> list[str]:
    """The API server, which also writes the audit log."""
    return [
        built("kube-apiserver"),
        "--etcd-servers=http://127.0.0.1:2379",
        f"--advertise-address={cluster.node_ip}",
        f"--service-cluster-ip-range={cluster.services}",
        "--allow-privileged",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--client-ca-file={pki(cluster, 'ca.crt')}",
        f"--tls-cert-file={pki(cluster, 'kube-apiserver.crt')}",
        f"--tls-private-key-file={pki(cluster, 'kube-apiserver.key')}",
        f"--kubelet-client-certificate={pki(cluster, 'kube-apiserver.crt')}",
        f"--kubelet-client-key={pki(cluster, 'kube-apiserver.key')}",
        f"--kubelet-certificate-authority={pki(cluster, 'ca.crt')}",
        # The node's name resolves nowhere.
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki(cluster, 'sa.pub')}",
        f"--service-account-signing-key-file={pki(cluster, 'sa.key')}",
        f"--audit-policy-file={setting(cluster, 'audit-policy.json', AUDIT_POLICY)}",
        f"--audit-log-path={cluster.data / 'audit.log'}",
        # In megabytes: tests read one file from start to end, so it never rotates.
        "--audit-log-maxsize=100000",
    ]


def kube_controller_manager(cluster: Cluster) -> list[str]:
    """The built-in controllers: garbage collection, Deployments, namespaces, tokens and all others."""
    return [
        built("kube-controller-manager"),
        f"--kubeconfig={pki(cluster, 'kube-controller-manager.kubeconfig')}",
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--root-ca-file={pki(cluster, 'ca.crt')}",
        f"--service-account-private-key-file={pki(cluster, 'sa.key')}",
    ]


def kube_scheduler(cluster: Cluster) -> list[str]:
    """The scheduler."""
    kubeconfig = pki(cluster, "kube-scheduler.kubeconfig")
    return [built("kube-scheduler"), f"--kubeconfig={kubeconfig}", "--leader-elect=false"]


CONTAINERD = """\
version = 2
root = "{data}/containerd"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Lowering the score needs CAP_SYS_RESOURCE, which root lacks in some virtual machines.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{data}/config/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


def containerd(cluster: Cluster) -> list[str]:
    """The container runtime, and the network it gives to pods."""
    # Routed point-to-point links: unlike a bridge's, their packets pass kube-proxy's rules on every kernel.
    subnets = {"type": "host-local", "subnet": cluster.pods, "routes": [{"dst": "0.0.0.0/0"}]}
    plugins = [{"type": "ptp", "ipam": subnets}, {"type": "portmap", "capabilities": {"portMappings": True}}]
    network = {"cniVersion": "1.0.0", "name": "modelfleet", "plugins": plugins}
    setting(cluster, "cni/10-modelfleet.conflist", network)
    config = setting(cluster, "containerd.toml", CONTAINERD.format(data=cluster.data, pause=PAUSE_IMAGE))
    return ["containerd", f"--config={config}"]


def kubelet(cluster: Cluster) -> list[str]:
    """The node. Its pods' cgroups hang below the cluster's own."""
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupRoot": f"/modelfleet-{cluster.name}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        # An image that is collected cannot be pulled again.
        "imageGCHighThresholdPercent": 100,
        "maxPods": 250,
        # So soon pods see what a ConfigMap says by now.
        "syncFrequency": "10s",
        "authentication": {"x509": {"clientCAFile": pki(cluster, "ca.crt")}, "anonymous": {"enabled": False}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": pki(cluster, "kubelet.crt"),
        "tlsPrivateKeyFile": pki(cluster, "kubelet.key"),
        "clusterDNS": [cluster.dns],
        "clusterDomain": "cluster.local",
        # The host's may name a resolver on its loopback, which pods do not reach.
        "resolvConf": setting(cluster, "resolv.conf", f"nameserver {cluster.dns}\n"),
    }
    place = "topology.kubernetes.io"
    return [
        built("kubelet"),
        f"--config={setting(cluster, 'kubelet.json', config)}",
        f"--kubeconfig={pki(cluster, 'kubelet.kubeconfig')}",
        f"--hostname-override={cluster.name}",
        f"--node-ip={cluster.node_ip}",
        f"--node-labels={place}/region={cluster.region},{place}/zone={cluster.region}-1",
    ]


def kube_proxy(cluster: Cluster) -> list[str]:
    """What turns ClusterIPs into pods, for pods and for packets that the host routes here."""
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": cluster.pods,
        "hostnameOverride": cluster.name,
        "clientConnection": {"kubeconfig": pki(cluster, "kube-proxy.kubeconfig")},
        # The limits belong to the host.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
    return [built("kube-proxy"), f"--config={setting(cluster, 'kube-proxy.json', config)}"]


COREFILE = """\
.:53 {{
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig}
    ttl 5
  }}
  cache 5
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""


def coredns(cluster: Cluster) -> list[str]:
    """The names of Services. It knows no others: pods have no need of the internet."""
    corefile = setting(cluster, "Corefile", COREFILE.format(kubeconfig=pki(cluster, "coredns.kubeconfig")))
    return [built("coredns"), f"-conf={corefile}"]


# Kubernetes' own; the keys are the names of the programs.
CONTROL_PLANE: dict[str, Program] = {
    "etcd": etcd,
    "kube-apiserver": kube_apiserver,
    "kube-controller-manager": kube_controller_manager,
    "kube-scheduler": kube_scheduler,
}
NODE: dict[str, Program] = {
    "containerd": containerd,
    "kubelet": kubelet,
    "kube-proxy": kube_proxy,
    "coredns": coredns,
}
PROGRAMS = {**CONTROL_PLANE, **NODE}
