"""A pretended Deployment controller and its pods: they start or do not, and count what they answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from modelfleet.core import names
from modelfleet.core.conditions import timestamp
from modelfleet.core.counters import Counters
from modelfleet.core.manifest import dig

Manifest = dict[str, Any]
STARTS_IN = timedelta(seconds=10)
LEAVES_IN = timedelta(seconds=20)


@dataclass
class Behaviour:
    """What becomes of the pods of a revision; ``ended`` is the message that their server leaves when it dies."""

    starts: bool = True
    error_rate: float = 0.0
    ended: str = ""


@dataclass
class Pod:
    """A pod, with what its server has counted."""

    name: str
    deployment: str
    labels: dict[str, str]
    template: str
    born: datetime
    ready_at: datetime | None
    left_at: datetime | None = None
    is_ready: bool = False
    requests: float = 0
    errors: float = 0
    ended: str = ""

    @property
    def revision(self) -> str:
        return self.labels[names.REVISION]

    @property
    def sample(self) -> Counters:
        """What its counters say."""
        return Counters(int(self.requests), int(self.errors), 0)

    def body(self) -> Manifest:
        """The pod as the operator's cache holds it."""
        ready = {"type": "Ready", "status": "True" if self.is_ready else "False"}
        metadata: Manifest = {"name": self.name, "namespace": "ml", "uid": self.name, "labels": self.labels}
        if self.left_at:
            metadata["deletionTimestamp"] = timestamp(self.left_at)
        state = {"terminated": {"exitCode": 1, "reason": "Error", "message": self.ended}}
        container = {"name": "server", "image": "server", "state": state}
        statuses = {"containerStatuses": [container]} if self.ended else {}
        return {"metadata": metadata, "status": {"phase": "Running", "conditions": [ready], **statuses}}


@dataclass
class Controller:
    """Plays the Deployment controller and the kubelets for the ``deployments``, as they are at a moment.

    The API server's part is played by whoever puts Deployments there: it counts generations.
    """

    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    deployments: dict[str, Manifest] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)
    progress: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def behaviour(self, revision: str) -> Behaviour:
        return self.behaviours.setdefault(revision, Behaviour())

    def pods_of(self, name: str) -> list[Pod]:
        """The pods of a Deployment that are not leaving."""
        return [pod for pod in self.pods if pod.deployment == name and not pod.left_at]

    def work(self, now: datetime) -> bool:
        """Do what is to be done now; tell whether anything has changed that a watch would tell."""
        before = self._fingerprint()
        self._kubelet(now)
        for name in list(self.deployments):
            while self._roll(name, now):
                pass
            self._write_status(name, now)
        return self._fingerprint() != before

    def next_moment(self, now: datetime) -> datetime | None:
        """When something will happen next without anybody's doing."""
        moments = [pod.ready_at for pod in self.pods if pod.ready_at and not pod.is_ready and not pod.left_at]
        moments += [pod.ready_at + self._min_ready(pod) for pod in self.pods if pod.ready_at and pod.is_ready]
        moments += [pod.left_at + LEAVES_IN for pod in self.pods if pod.left_at]
        moments += [since + self._deadline(name) for name, (_, since) in self.progress.items()]
        return min((moment for moment in moments if moment > now), default=None)

    def serve(self, requests: float) -> None:
        """Spread requests over the pods that are ready."""
        ready = [pod for pod in self.pods if pod.is_ready and not pod.left_at]
        for pod in ready:
            pod.requests += requests / len(ready)
            pod.errors += requests / len(ready) * self.behaviour(pod.revision).error_rate

    def _fingerprint(self) -> str:
        return json.dumps([self.deployments, [pod.body() for pod in self.pods]], sort_keys=True)

    def _kubelet(self, now: datetime) -> None:
        self.pods = [pod for pod in self.pods if not (pod.left_at and pod.left_at + LEAVES_IN <= now)]
        for pod in self.pods:
            pod.is_ready = pod.ready_at is not None and pod.ready_at <= now and not pod.left_at
            if pod.deployment not in self.deployments and not pod.left_at:
                self._leave(pod, now)

    def _roll(self, name: str, now: datetime) -> bool:
        """Start or stop a pod where the strategy lets it: maxUnavailable 0, maxSurge 25 %."""
        spec = self.deployments[name]["spec"]
        wanted, template = spec["replicas"], _template(spec)
        pods = self.pods_of(name)
        new = [pod for pod in pods if pod.template == template]
        old = sorted((pod for pod in pods if pod.template != template), key=lambda pod: pod.is_ready)
        available = sum(self._is_available(pod, now) for pod in pods)
        if len(new) > wanted:
            self._leave(min(new, key=lambda pod: pod.is_ready), now)
        elif old and (not self._is_available(old[0], now) or available > wanted or wanted == 0):
            self._leave(old[0], now)
        elif len(new) < wanted and len(pods) < wanted + -(-wanted // 4):
            self._start(name, template, now)
        else:
            return False
        return True

    def _start(self, name: str, template: str, now: datetime) -> None:
        labels = self.deployments[name]["spec"]["template"]["metadata"]["labels"]
        behaviour = self.behaviour(labels[names.REVISION])
        ready_at = now + STARTS_IN if behaviour.starts else None
        number = next(self.numbers)
        self.pods.append(Pod(f"{name}-{number:05}", name, labels, template, now, ready_at, ended=behaviour.ended))

    def _leave(self, pod: Pod, now: datetime) -> None:
        pod.left_at, pod.is_ready = now, False

    def _is_available(self, pod: Pod, now: datetime) -> bool:
        return pod.is_ready and pod.ready_at is not None and pod.ready_at + self._min_ready(pod) <= now

    def _min_ready(self, pod: Pod) -> timedelta:
        spec = dig(self.deployments.get(pod.deployment), "spec") or {}
        return timedelta(seconds=spec.get("minReadySeconds", 0))

    def _deadline(self, name: str) -> timedelta:
        return timedelta(seconds=dig(self.deployments.get(name), "spec", "progressDeadlineSeconds") or 0)

    def _write_status(self, name: str, now: datetime) -> None:
        deployment = self.deployments[name]
        template, pods = _template(deployment["spec"]), self.pods_of(name)
        counts = {
            "replicas": len(pods),
            "updatedReplicas": sum(pod.template == template for pod in pods),
            "readyReplicas": sum(pod.is_ready for pod in pods),
            "availableReplicas": sum(self._is_available(pod, now) for pod in pods),
        }
        deployment["status"] = {
            "observedGeneration": deployment["metadata"]["generation"],
            **{field: number for field, number in counts.items() if number},  # zero is left out, as in Go
            "conditions": [self._progressing(name, template, counts, now)],
        }

    def _progressing(self, name: str, template: str, counts: dict[str, int], now: datetime) -> Manifest:
        """The condition; once complete it stays so, whatever happens to the pods, until the template changes."""
        before: Manifest = next(iter(dig(self.deployments[name], "status", "conditions") or []), {})
        is_all_new = counts["replicas"] == counts["updatedReplicas"]
        if before.get("reason") == "NewReplicaSetAvailable" and is_all_new:
            return before
        if set(counts.values()) == {self.deployments[name]["spec"]["replicas"]}:
            self.progress.pop(name, None)
            return _condition("NewReplicaSetAvailable", now)
        mark = json.dumps([template, counts], sort_keys=True)
        known, since = self.progress.get(name, ("", now))
        if known != mark:
            self.progress[name] = mark, now
            return _condition("ReplicaSetUpdated", now)
        return _condition("ProgressDeadlineExceeded", now) if now >= since + self._deadline(name) else before


def _condition(reason: str, now: datetime) -> Manifest:
    status = "False" if reason == "ProgressDeadlineExceeded" else "True"
    return {"type": "Progressing", "status": status, "reason": reason, "lastUpdateTime": timestamp(now)}


def _template(spec: Manifest) -> str:
    return json.dumps(spec["template"], sort_keys=True)
