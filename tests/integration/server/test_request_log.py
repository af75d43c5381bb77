"""The request log of a running server in blobs of a real Azurite."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import onnx_models
from tests.support.azurite import KEY, Azurite, running
from tests.support.onnx_models import saved
from tests.support.proxy import Proxy
from tests.support.server_process import serving
from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "http://demo.blob.test:10000/logs/claims/"


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with running(tmp_path_factory.mktemp("azurite")) as storage:
        storage.create_container("logs")
        yield storage


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[Proxy]:
    """By which the server finds the storage."""
    found = Proxy(("127.0.0.1", azurite.port))
    yield found
    found.close()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A mounted Secret, empty."""
    folder = tmp_path / "secret"
    folder.mkdir()
    return folder


@pytest.fixture
def arguments(tmp_path: Path, secret: Path) -> list[str]:
    """Those of a server that logs every request to the folder, with the Secret."""
    (tmp_path / "live.yaml").write_text(f"requestLog: {{to: '{FOLDER}', percent: 100, credentials: {secret}}}")
    model = saved(onnx_models.double(["N", 2]), tmp_path / "double.onnx")
    return [f"--model=double={model}", f"--live-settings={tmp_path / 'live.yaml'}"]


def logged(azurite: Azurite) -> list[dict[str, Any]]:
    blobs = azurite.blobs("logs")
    return [json.loads(line) for name in sorted(blobs) for line in blobs[name].splitlines()]


@pytest.mark.parametrize("credential", ["sasToken", "accountKey"])
def test_lines_arrive_at_the_latest_when_the_server_stops(
    azurite: Azurite, proxy: Proxy, secret: Path, arguments: list[str], credential: str
) -> None:
    (secret / credential).write_text(azurite.sas("logs", "cw") if credential == "sasToken" else KEY)
    before = len(logged(azurite))
    with serving(*arguments, variables={"http_proxy": proxy.url}) as server:
        for row in range(20):
            server.score([[row, 0]])
        server.process.terminate()
        assert server.process.wait(15) == 0
    new = logged(azurite)[before:]
    assert [line["inputs"][0]["data"][0] for line in new] == list(range(20))
    assert len({line["request_id"] for line in new}) == 20


def test_a_blob_is_named_by_its_day_and_its_writer(
    azurite: Azurite, proxy: Proxy, secret: Path, arguments: list[str]
) -> None:
    (secret / "accountKey").write_text(KEY)
    with serving(*arguments, variables={"http_proxy": proxy.url}) as server:
        server.score([[1, 2]])
        server.process.terminate()
        assert server.process.wait(15) == 0
    for name in azurite.blobs("logs"):
        folder, day, file = name.split("/")
        assert (folder, len(day)) == ("claims", len("2025-01-31"))
        assert file.startswith(f"{socket.gethostname()}-")
        assert file.endswith("-000001.jsonl")


def test_storage_that_refuses_costs_lines_but_no_answer(
    proxy: Proxy, azurite: Azurite, secret: Path, arguments: list[str]
) -> None:
    (secret / "sasToken").write_text(azurite.sas("logs", "r"))  # may read only
    with serving(*arguments, variables={"http_proxy": proxy.url}) as server:
        assert server.score([[1, 2]]).status_code == 200
        dropped = 'modelserver_request_log_lines_total{outcome="dropped"}'
        wait_until(lambda: server.metric(dropped) == 1, seconds=30)
        (warning,) = [event for event in server.log if event["level"] == "warning"]
        assert "the request log is incomplete: blobs cannot be written" in warning["message"]
        assert "403" in warning["message"]
        assert "sig=" not in str(server.log)
