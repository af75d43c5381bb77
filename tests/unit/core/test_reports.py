"""What the fetcher and the server leave behind when they end is what the operator reads: they share no code."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelfleet.core.diagnosis import HOPELESS, Cause, diagnose, fetched_model
from modelserver import errors, termination
from modelserver.fetch import __main__ as fetch
from modelserver.fetch.errors import FetchError, Passing, Refused, VolumeFull, Wrong
from tests.support.objects import container, ended, owner, pod

FETCH_ERRORS = [*Wrong.__subclasses__(), *Refused.__subclasses__(), *Passing.__subclasses__(), VolumeFull]


def pod_that_ended(code: int, log: Path) -> dict[str, Any]:
    return pod(owner(), initContainerStatuses=[container("fetch", ended(code, log.read_text()))])


@pytest.mark.parametrize("kind", FETCH_ERRORS, ids=lambda kind: str(kind.__name__))
def test_each_failure_of_the_fetcher_is_understood(kind: type[FetchError], tmp_path: Path) -> None:
    error, log = kind("Something is wrong."), tmp_path / "log"
    termination.write(log, error.reason, str(error))
    stalled = error.reason in HOPELESS
    assert diagnose([pod_that_ended(error.exit_code, log)]) == Cause(error.reason, "Something is wrong.", stalled)


def test_what_is_hopeless_is_known_to_the_server_under_the_same_name() -> None:
    of_the_server = (errors.ModelInvalid, errors.SmokeFailed, errors.SmokeInvalid)
    assert {kind.__name__ for kind in (*FETCH_ERRORS, *of_the_server)} >= HOPELESS
    assert HOPELESS.isdisjoint(kind.__name__ for kind in (*Passing.__subclasses__(), *Refused.__subclasses__()))


def test_the_facts_about_a_fetched_model_are_read(tmp_path: Path) -> None:
    log, manifest = tmp_path / "log", SimpleNamespace(sha256="ab" * 32, size=1000, files=["a", "b"])
    fetch._report(manifest, log, 1.5)  # type: ignore[arg-type]  # as much of it as is reported
    report = fetched_model(pod_that_ended(0, log), "fetch")
    assert report == {**json.loads(log.read_text()), "sha256": "ab" * 32, "bytes": 1000, "files": 2}


def test_the_longest_message_is_still_understood(tmp_path: Path) -> None:
    """The kubelet cuts a termination message at 4096 bytes."""
    log = tmp_path / "log"
    termination.write(log, "ModelInvalid", "ü" * 5000)
    assert len(log.read_bytes()) <= 4096
    cause = diagnose([pod_that_ended(1, log)])
    assert cause
    assert cause.reason == "ModelInvalid"
