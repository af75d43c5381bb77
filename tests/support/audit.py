"""What was asked of an API server, read from its audit log."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OPERATOR = "system:serviceaccount:modelfleet-system:modelfleet-operator"
READS = frozenset({"get", "list", "watch"})

Permission = tuple[str, str, str]
"""API group, resource (with its subresource), verb."""


@dataclass
class AuditLog:
    """The requests of one user since the log was opened."""

    path: Path
    user: str = OPERATOR

    def __post_init__(self) -> None:
        self._start = self.path.stat().st_size

    @classmethod
    def of(cls, kubeconfig: Path) -> "AuditLog":
        """The operator's requests to the local cluster with this kubeconfig."""
        return cls(kubeconfig.parent / "audit.log")

    def entries(self) -> Iterator[dict[str, Any]]:
        """Every finished request to a resource."""
        with self.path.open() as log:
            log.seek(self._start)
            for line in log:
                entry = json.loads(line) if line.endswith("\n") else {}
                if entry.get("user", {}).get("username") == self.user and "objectRef" in entry:
                    yield entry

    def permissions(self) -> set[Permission]:
        """What the user made use of; an apply that creates needs two permissions."""
        used = set()
        for entry in self.entries():
            target = entry["objectRef"]
            resource = "/".join(filter(None, (target["resource"], target.get("subresource"))))
            group, verb = target.get("apiGroup", ""), entry["verb"]
            used.add((group, resource, verb))
            if verb == "patch" and entry["responseStatus"]["code"] == 201:
                used.add((group, resource, "create"))
        return used

    def writes(self) -> list[str]:
        """Every request that could change something, apart from those that renew the Lease."""
        return [
            f"{entry['verb']} {entry['requestURI']}"
            for entry in self.entries()
            if entry["verb"] not in READS and entry["objectRef"]["resource"] != "leases"
        ]

    def written_without_the_lead(self) -> list[str]:
        """Every write of a pod other than the one that last took or renewed the Lease."""
        found, leader = [], None
        for entry in sorted(self.entries(), key=lambda entry: str(entry["requestReceivedTimestamp"])):
            if entry["verb"] in READS or entry["responseStatus"]["code"] >= 400:
                continue
            if entry["objectRef"]["resource"] == "leases":
                leader = entry["sourceIPs"]
            elif leader not in (None, entry["sourceIPs"]):
                found.append(f"{entry['sourceIPs']}: {entry['verb']} {entry['requestURI']}")
        return found

    def refusals(self) -> list[str]:
        """Every request that was refused for want of rights, and not because a namespace is going away."""
        decision = "authorization.k8s.io/decision"
        return [e["requestURI"] for e in self.entries() if e.get("annotations", {}).get(decision) == "forbid"]
