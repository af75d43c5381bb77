"""Settings that change under a running server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from modelserver.live.live import Live
from modelserver.live.parsing import Invalid, parse
from modelserver.live.settings import Batching, BatchLimits, LiveSettings, MirrorSettings, RequestLogSettings

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = """
mirror: {url: http://claims-canary/, percent: 12.5, timeoutSeconds: 2, tolerance: 0}
requestLog:
  percent: 1
  to: https://models.blob.core.windows.net/logs/claims/
  maxBodyBytes: 1000
  credentials: /secrets/logs
batching:
  maxRows: 16
  models:
    claims: {maxQueue: 50}
    text: {enabled: false, maxRows: 4}
"""
BLOBS = "https://models.blob.core.windows.net/logs/claims/"


def test_everything_that_can_be_said() -> None:
    assert parse(EVERYTHING) == LiveSettings(
        mirror=MirrorSettings("http://claims-canary", 12.5, 2.0, 0.0),
        request_log=RequestLogSettings(BLOBS, 1.0, 1000, "/secrets/logs"),
        batching=Batching(
            max_rows=16, models={"claims": BatchLimits(max_queue=50), "text": BatchLimits(4, None, enabled=False)}
        ),
    )


@pytest.mark.parametrize(("number", "means"), [("1e-05", 1e-5), ("1E2", 100), ("2.5e-1", 0.25), ("1", 1)])
def test_numbers_may_be_written_as_json_writes_them(number: str, means: float) -> None:
    mirror = parse(f'{{"mirror": {{"url": "http://a", "percent": 1, "tolerance": {number}}}}}').mirror
    assert mirror == MirrorSettings("http://a", 1.0, 10.0, means)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}", "mirror:\nbatching:\n"])
def test_what_is_left_empty_is_as_if_it_was_not_there(text: str) -> None:
    assert parse(text) == LiveSettings()


def test_a_model_has_its_own_limits_and_else_those_of_all() -> None:
    batching = parse(EVERYTHING).batching
    assert batching.of("claims") == BatchLimits(16, 50, None)
    assert batching.of("text") == BatchLimits(4, None, enabled=False)
    assert batching.of("another") == BatchLimits(16, None, None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("mirrors: {}", "there is no mirrors; there is mirror, requestLog, batching"),
        ("mirror: {url: http://a, percent: 1, retries: 3}", "there is no mirror.retries; there is url, percent"),
        ("mirror: {url: http://a}", "mirror.percent is missing"),
        ("mirror: {url: http://a, percent: null}", "mirror.percent is missing"),
        ("mirror: {url: http://a, percent: 101}", "mirror.percent must be a number from 0 to 100, not 101"),
        ("mirror: {url: http://a, percent: 10%}", "mirror.percent must be a number from 0 to 100, not '10%'"),
        ("mirror: {url: http://a, percent: .nan}", "mirror.percent must be a number from 0 to 100, not nan"),
        ("mirror: {url: http://a, percent: true}", "mirror.percent must be a number"),
        ("mirror: {url: canary, percent: 1}", "mirror.url must be like http://HOST"),
        ("mirror: {url: 'http://me:secret@a', percent: 1}", "without a query or a password"),
        (
            "mirror: {url: http://a, percent: 1, timeoutSeconds: 0}",
            "mirror.timeoutSeconds must be a number from 0.01",
        ),
        ("mirror: {url: http://a, percent: 1, tolerance: -0.1}", "mirror.tolerance must be a number from 0"),
        ("mirror: {url: http://a, percent: 1, tolerance: 1%}", "mirror.tolerance must be a number from 0"),
        ("requestLog: {percent: 1}", "requestLog.to is missing"),
        (
            "requestLog: {percent: 1, to: 'https://a.blob.b/c?sig=d'}",
            "requestLog.to must be a file, or a folder in",
        ),
        ("requestLog: {percent: 1, to: 's3://bucket/logs'}", "requestLog.to must be a file, or a folder in"),
        (
            "requestLog: {percent: 1, to: 'https://example.com/logs'}",
            "requestLog.to must be a file, or a folder in",
        ),
        ("requestLog: {percent: 1, to: 7}", "requestLog.to must be a text, not 7"),
        ("batching: {maxRows: 0}", "batching.maxRows must be a whole number from 1 up, not 0"),
        ("batching: {maxRows: 1.5}", "batching.maxRows must be a whole number from 1 up, not 1.5"),
        (
            "batching: {models: {a: {enabled: maybe}}}",
            "batching.models.a.enabled must be true or false, not 'maybe'",
        ),
        ("batching: {models: {a: {models: {}}}}", "there is no batching.models.a.models"),
        ("batching: {models: [a]}", "batching.models must be a mapping of names to values, not ['a']"),
        ("- a", "the file must be a mapping of names to values, not ['a']"),
        ("batching: {maxRows: 1, maxRows: 2}", "given twice"),
        ("mirror: {", "this is not valid YAML"),
        (b"\xff\xfe\x00", "this is not valid YAML"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str | bytes, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(text)
    assert sentence in str(caught.value)


class Followed:
    """A file of live settings, looked at as a server does, and the settings that came into force."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.registry = CollectorRegistry()
        self.live = Live(path, self.registry)
        self.applied: list[LiveSettings] = []
        self.live.subscribe(self.applied.append)

    def look(self) -> None:
        self.live._watch.look()
        self.live._watch.look()

    def write(self, text: str) -> None:
        self.path.write_text(text)
        self.look()

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"modelserver_live_settings_{name}")


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path / "live.yaml")


def test_a_file_that_is_not_there_changes_nothing(followed: Followed) -> None:
    followed.look()
    assert followed.applied == [LiveSettings()]
    assert (followed.metric("valid"), followed.metric("generation")) == (1, 0)


def test_a_change_comes_into_force(followed: Followed) -> None:
    followed.write("batching: {maxRows: 2}")
    followed.write("batching: {maxRows: 3}")
    assert [settings.batching.max_rows for settings in followed.applied] == [None, 2, 3]
    assert followed.live.current.batching.max_rows == 3
    assert (followed.metric("valid"), followed.metric("generation")) == (1, 2)


def test_a_file_that_was_only_touched_changes_nothing(followed: Followed) -> None:
    followed.write("batching: {maxRows: 2}")
    followed.write("batching: {maxRows: 2}  # as before")
    assert len(followed.applied) == 2
    assert followed.metric("generation") == 1


def test_an_invalid_file_leaves_the_former_settings_and_is_logged_once(
    followed: Followed, caplog: pytest.LogCaptureFixture
) -> None:
    followed.write("batching: {maxRows: 2}")
    followed.write("batching: {maxRows: two}")
    followed.look()
    assert followed.live.current.batching.max_rows == 2
    assert (followed.metric("valid"), followed.metric("generation")) == (0, 1)
    (error,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "batching.maxRows must be a whole number" in error.getMessage()
    followed.write("batching: {maxRows: 4}")
    assert (followed.metric("valid"), followed.metric("generation")) == (1, 2)


def test_a_file_that_goes_takes_its_settings_with_it(followed: Followed) -> None:
    followed.write("batching: {maxRows: 2}")
    followed.path.unlink()
    followed.look()
    assert followed.live.current == LiveSettings()


def test_a_file_that_is_too_large_is_invalid(followed: Followed) -> None:
    followed.write("#" * 100_000)
    assert followed.metric("valid") == 0


def test_a_folder_is_invalid(tmp_path: Path) -> None:
    followed = Followed(tmp_path)
    followed.look()
    assert followed.metric("valid") == 0
