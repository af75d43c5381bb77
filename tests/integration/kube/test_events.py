"""Events are there for kubectl, once each, and counted."""

import dataclasses
from typing import Any

import pytest

from modelfleet.kube.client import EVENTS, KubeClient
from modelfleet.kube.events import Event, Recorder, name_of
from tests.support.kubectl import Kubectl


@pytest.fixture
async def event(kube: KubeClient, namespace: str) -> Event:
    """A warning about a real object."""
    metadata = {"namespace": namespace, "name": "claims"}
    body = await kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    return Event(body, "Warning", "ModelNotFound", "There is no model claims:7.", "ResolveModel")


def recorder(kube: KubeClient, interval_s: float = 0.0) -> Recorder:
    return Recorder(kube, controller="modelfleet.dev/operator", instance="pod-1", interval_s=interval_s)


async def written(kube: KubeClient, namespace: str) -> list[dict[str, Any]]:
    return (await kube.list(EVENTS, namespace=namespace)).items


async def test_kubectl_describe_shows_it(kube: KubeClient, namespace: str, event: Event, kubectl: Kubectl) -> None:
    await recorder(kube).emit(event)
    shown = kubectl("describe", "configmap", "claims")
    for text in ("Warning", "ModelNotFound", "There is no model claims:7.", "modelfleet.dev/operator"):
        assert text in shown


async def test_what_repeats_is_one_event_that_counts(kube: KubeClient, namespace: str, event: Event) -> None:
    recording = recorder(kube)
    for _ in range(4):
        await recording.emit(event)
    # Another process, which remembers nothing.
    await recorder(kube).emit(event)
    [found] = await written(kube, namespace)
    assert found["series"]["count"] == 5


async def test_what_repeats_quickly_is_not_written_each_time(
    kube: KubeClient, namespace: str, event: Event
) -> None:
    recording = recorder(kube, interval_s=3600)
    for _ in range(50):
        await recording.emit(event)
    [found] = await written(kube, namespace)
    assert "series" not in found
    recording._interval_s = 0
    await recording.emit(event)
    [found] = await written(kube, namespace)
    assert found["series"]["count"] == 51


async def test_different_notes_are_different_events(kube: KubeClient, namespace: str, event: Event) -> None:
    recording = recorder(kube)
    await recording.emit(event)
    await recording.emit(dataclasses.replace(event, note="There is no model claims:8."))
    assert len(await written(kube, namespace)) == 2


async def test_an_event_that_has_expired_is_written_anew(kube: KubeClient, namespace: str, event: Event) -> None:
    recording = recorder(kube)
    await recording.emit(event)
    [found] = await written(kube, namespace)
    await kube.delete(EVENTS, namespace, name_of(event), uid=found["metadata"]["uid"])
    await recording.emit(event)
    assert len(await written(kube, namespace)) == 1


async def test_a_note_too_long_for_the_api_is_cut(kube: KubeClient, namespace: str, event: Event) -> None:
    await recorder(kube).emit(dataclasses.replace(event, note="é" * 2000))
    [found] = await written(kube, namespace)
    assert found["note"].endswith("…")


async def test_an_event_about_what_has_no_namespace_goes_to_default(kube: KubeClient, namespace: str) -> None:
    regarding = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "uid": namespace}}
    event = Event(regarding, "Normal", "Seen", "A namespace was seen.", "See")
    await recorder(kube).emit(event)
    found = await kube.get(EVENTS, "default", name_of(event))
    assert found
    await kube.delete(EVENTS, "default", name_of(event), uid=found["metadata"]["uid"])


async def test_a_namespace_that_is_gone_is_no_failure(
    kube: KubeClient, event: Event, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = event.regarding | {"metadata": event.regarding["metadata"] | {"namespace": "nowhere"}}
    await recorder(kube).emit(dataclasses.replace(event, regarding=elsewhere))
    assert 'namespaces "nowhere" not found' in caplog.text
