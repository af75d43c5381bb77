"""What makes two occurrences the same Event, and what of a note fits into one."""

import dataclasses

import pytest

from modelfleet.core.errors import Retryable
from modelfleet.kube.client import KubeClient
from modelfleet.kube.events import Event, Recorder, clipped, counted, name_of, reference
from tests.unit.kube.faulty import Answer, config_map, faulty, hangs, says

EVENT = Event(config_map("a", 1), "Warning", "ModelNotFound", "There is no model x.", "Resolve")


def test_the_same_occurrence_has_the_same_name_whatever_the_version_of_the_object() -> None:
    assert name_of(EVENT) == name_of(dataclasses.replace(EVENT, regarding=config_map("a", 99)))


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(EVENT, note="There is no model y."),
        dataclasses.replace(EVENT, reason="Other"),
        dataclasses.replace(EVENT, type="Normal"),
        dataclasses.replace(EVENT, regarding=config_map("a", 1, uid="other")),
    ],
)
def test_another_occurrence_has_another_name(other: Event) -> None:
    assert name_of(EVENT) != name_of(other)


def test_the_name_of_an_event_is_a_valid_name() -> None:
    long = dataclasses.replace(EVENT, regarding=config_map("a" * 253, 1))
    assert len(name_of(long)) <= 253


@pytest.mark.parametrize("note", ["", "short", "x" * 1024, "é" * 512])
def test_a_note_that_fits_is_left_alone(note: str) -> None:
    assert clipped(note) == note


@pytest.mark.parametrize("note", ["x" * 1025, "é" * 513, "x" + "é" * 600, "😀" * 300])
def test_a_long_note_is_cut_between_characters(note: str) -> None:
    cut = clipped(note)
    assert 1018 <= len(cut.encode()) <= 1024
    assert cut.endswith("…")
    assert note.startswith(cut[:-1])


def test_a_repetition_counts_on() -> None:
    once = counted({"note": "n"}, 1)
    assert (once["series"]["count"], counted(once, 5)["series"]["count"], once["note"]) == (2, 7, "n")


def test_a_reference_names_the_object() -> None:
    assert reference(config_map("a", 1)) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "namespace": "ns",
        "name": "a",
        "uid": "uid-a",
        "resourceVersion": "1",
    }


@pytest.mark.parametrize("answer", [says(403), says(422), says(500), hangs])
async def test_an_event_that_cannot_be_written_is_no_failure(
    answer: Answer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("modelfleet.kube.events.PATIENCE_S", 0.1)
    async with faulty(answer) as server, KubeClient(server.url) as client:
        recorder = Recorder(client, controller="modelfleet.dev/operator", instance="pod-1")
        await recorder.emit(EVENT)
        await recorder.emit(EVENT)
    assert len(server.requests) == 1
    assert "ModelNotFound (There is no model x.) is not recorded" in caplog.text


async def test_the_memory_of_what_was_written_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfleet.kube.events.REMEMBERED", 3)
    async with faulty(says(201, {})) as server, KubeClient(server.url) as client:
        recorder = Recorder(client, controller="modelfleet.dev/operator", instance="pod-1")
        for number in range(10):
            await recorder.emit(dataclasses.replace(EVENT, note=str(number)))
        assert len(recorder._tallies) == 3


def test_retryable_errors_may_have_no_wish() -> None:
    assert Retryable("later").retry_after_s is None
