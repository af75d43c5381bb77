"""Servers that compare what a mirror answers with what their users got."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import onnx_models
from tests.support.grpc_calls import infer
from tests.support.handlers import script
from tests.support.onnx_models import saved
from tests.support.ports import free_port
from tests.support.server_process import ServerProcess, serving
from tests.support.until import wait_until
from tests.support.webserver import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import onnx

    Ask = Callable[[ServerProcess], object]

SLIGHTLY = onnx_models.long_to_load(nodes=1)  # 1.0001 times as much
INFER = "/v2/models/m/infer"
VALUES = [1.0, 2.0, 300.0]


class Stable:
    """A server that mirrors everything to wherever a test wants it."""

    def __init__(self, server: ServerProcess, file: Path) -> None:
        self.server = server
        self._file = file
        self._settings = ""

    def mirror(self, url: str, **more: float) -> None:
        """Returns when these settings are in force."""
        settings = json.dumps({"mirror": {"url": url, "percent": 100, **more}})
        if settings != self._settings:
            before = self.server.metric("modelserver_live_settings_generation") or 0
            self._file.write_text(settings)
            wait_until(lambda: self.server.metric("modelserver_live_settings_generation") == before + 1)
            self._settings = settings

    def answers(self) -> Counter[str]:
        """How many answers were compared by now, as `agrees` and `differs`."""
        return self._counted("modelserver_mirror_answers_total", "agreement")

    def mirrored(self) -> Counter[str]:
        return self._counted("modelserver_mirrored_requests_total", "outcome")

    def finds(self, agreement: str, ask: Ask) -> None:
        """Asks, as often as it takes the client of the mirror to be there, until an answer was compared."""
        before = self.answers()
        wait_until(lambda: bool(ask(self.server)) and self.answers() != before)
        assert (self.answers() - before).keys() == {agreement}

    def _counted(self, name: str, label: str) -> Counter[str]:
        families = text_string_to_metric_families(self.server.client.get("/metrics").text)
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        found: Counter[str] = Counter()
        for sample in samples:
            found[sample.labels[label]] += int(sample.value)
        return found


def score(server: ServerProcess) -> httpx.Response:
    return server.score(VALUES)


def json_infer(server: ServerProcess) -> httpx.Response:
    tensor = {"name": "x", "datatype": "FP32", "shape": [3], "data": VALUES}
    return server.client.post(INFER, json={"id": "7", "inputs": [tensor]})


def binary_infer(server: ServerProcess) -> httpx.Response:
    raw = np.array(VALUES, np.float32).tobytes()
    parameters = {"binary_data_size": len(raw)}
    tensor = {"name": "x", "datatype": "FP32", "shape": [3], "parameters": parameters}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = {"inference-header-content-length": str(len(head))}
    return server.client.post(INFER, content=head + raw, headers=headers)


def grpc_infer(server: ServerProcess) -> list[float]:
    return infer(server, "m", "x", VALUES)  # type: ignore[arg-type]  # a vector is as good as a matrix


ASKED = pytest.mark.parametrize("ask", [score, json_infer, binary_infer, grpc_infer])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def model(folder: Path, name: str, graph: onnx.ModelProto, version: str = "1") -> str:
    return f"--model=m:{version}={saved(graph, folder / name)}"


@pytest.fixture(scope="module")
def stable(folder: Path) -> Iterator[Stable]:
    file = folder / "live.json"
    graph = onnx_models.identity("FP32", ["N"])
    with serving(model(folder, "stable.onnx", graph), f"--live-settings={file}") as server:
        yield Stable(server, file)


@pytest.fixture(scope="module")
def near(folder: Path) -> Iterator[ServerProcess]:
    with serving(model(folder, "near.onnx", SLIGHTLY, "2")) as server:
        yield server


@pytest.fixture(scope="module")
def far(folder: Path) -> Iterator[ServerProcess]:
    with serving(model(folder, "far.onnx", onnx_models.double(["N"]), "2")) as server:
        yield server


@pytest.fixture
def canary() -> Iterator[WebServer]:
    """A mirror that answers whatever a test wants."""
    server = WebServer()
    yield server
    server.close()


@ASKED
def test_answers_agree_whose_numbers_are_near_and_whose_version_is_another(
    stable: Stable, near: ServerProcess, ask: Ask
) -> None:
    stable.mirror(near.url)
    stable.finds("agrees", ask)


@ASKED
def test_answers_differ_of_a_model_that_says_something_else(stable: Stable, far: ServerProcess, ask: Ask) -> None:
    stable.mirror(far.url)
    stable.finds("differs", ask)


def test_the_tolerance_changes_while_the_server_runs(stable: Stable, near: ServerProcess) -> None:
    stable.mirror(near.url, tolerance=0.00001)
    stable.finds("differs", score)
    stable.mirror(near.url, tolerance=0.001)
    stable.finds("agrees", score)


def test_differences_are_in_a_histogram(stable: Stable, near: ServerProcess) -> None:
    stable.mirror(near.url)
    bucket = 'modelserver_mirror_difference_bucket{le="%s",model="m"}'
    below, before = (stable.server.metric(bucket % bound) or 0 for bound in ("1e-06", "0.001"))
    wait_until(lambda: bool(score(stable.server)) and (stable.server.metric(bucket % "0.001") or 0) > before)
    assert (stable.server.metric(bucket % "1e-06") or 0) == below


def test_what_users_ask_is_counted_apart_from_what_the_mirror_gets(stable: Stable, far: ServerProcess) -> None:
    stable.mirror(far.url)
    for ask in (score, json_infer, grpc_infer):
        stable.finds("differs", ask)
    copied = 'modelserver_requests_total{code="200",model="m",protocol="mirror",version="2"}'
    assert (far.metric(copied) or 0) >= 3
    seconds = "modelserver_request_duration_seconds_count"
    assert (far.metric(seconds + '{model="m",protocol="mirror",version="2"}') or 0) >= 3
    for protocol in ("score", "v2", "grpc"):
        assert far.metric(f'{seconds}{{model="m",protocol="{protocol}",version="2"}}') is None
        assert stable.server.metric(f'{seconds}{{model="m",protocol="{protocol}",version="1"}}')
    assert stable.server.metric(seconds + '{model="m",protocol="mirror",version="1"}') is None


def test_a_mirrors_answers_are_those_of_the_model_that_answered_the_user(
    stable: Stable, far: ServerProcess
) -> None:
    stable.mirror(far.url)
    stable.finds("differs", score)
    assert stable.server.metric('modelserver_mirror_answers_total{agreement="differs",model="m",version="1"}')


@pytest.mark.parametrize(
    ("answer", "agreement"),
    [
        (b'{"results": [1.009, 2.0, 302.0], "more": 1}', "agrees"),
        (b'{"results": [1, 2, 300]}', "agrees"),
        (b'{"results": ["1", 2.0, 300.0]}', "differs"),
        (b'{"results": [1.0, 2.0]}', "differs"),
        (b'{"results": [null, 2.0, 300.0]}', "differs"),
        (b"no JSON", "differs"),
        (b"", "differs"),
    ],
)
def test_what_a_score_says_is_compared(stable: Stable, canary: WebServer, answer: bytes, agreement: str) -> None:
    canary.body = answer
    stable.mirror(canary.url)
    stable.finds(agreement, score)


@pytest.mark.parametrize(("label", "agreement"), [(1000, "agrees"), (1001, "differs")])
def test_labels_have_no_tolerance(folder: Path, canary: WebServer, label: int, agreement: str) -> None:
    graph, file = onnx_models.identity("INT64", ["N"]), folder / f"labels-{label}.json"
    canary.body = json.dumps({"results": [label]}).encode()
    with serving(model(folder, "labels.onnx", graph), f"--live-settings={file}") as server:
        labels = Stable(server, file)
        labels.mirror(canary.url)
        labels.finds(agreement, lambda server: server.score([1000]))


def test_a_mirror_that_answers_with_an_error_disagrees(stable: Stable, canary: WebServer) -> None:
    canary.status, canary.body = 500, b'{"results": [1, 2, 300]}'
    stable.mirror(canary.url)
    stable.finds("differs", score)


def test_a_mirror_that_is_away_is_no_disagreement(stable: Stable) -> None:
    stable.mirror(f"http://127.0.0.1:{free_port()}")
    before, errors = stable.answers(), stable.mirrored()["error"]
    wait_until(lambda: bool(score(stable.server)) and stable.mirrored()["error"] > errors)
    assert stable.answers() == before


def test_what_was_the_users_own_mistake_is_not_mirrored(stable: Stable, canary: WebServer) -> None:
    canary.body = b'{"results": [1, 2, 300]}'
    stable.mirror(canary.url)
    stable.finds("agrees", score)
    for target in ("/score", "/v2/models/m/infer", "/v2/models/other/infer"):
        assert stable.server.client.post(target, content=b'{"mistake": 1}').is_client_error
    stable.finds("agrees", score)
    assert {asked.target for asked in canary.asked} == {"/score"}
    assert not any(b"mistake" in asked.body for asked in canary.asked)


def test_the_log_tells_of_one_difference_and_of_no_value(folder: Path, canary: WebServer) -> None:
    graph, file = onnx_models.identity("FP32", ["N"]), folder / "told.json"
    canary.body = b'{"results": [1, 777, 300]}'
    with serving(model(folder, "told.onnx", graph), f"--live-settings={file}") as server:
        told = Stable(server, file)
        told.mirror(canary.url, tolerance=0.1)
        ids = {"x-request-id": "seven"}
        told.finds("differs", lambda server: server.client.post("/score", json={"data": VALUES}, headers=ids))
        told.mirror(canary.url, tolerance=0.2)  # another mirror, but the same minute
        told.finds("differs", score)
        (line,) = [event for event in server.log if event["level"] == "warning"]
    about = {name: line[name] for name in ("request_id", "model", "version", "place")}
    assert about == {"request_id": "seven", "model": "m", "version": "1", "place": "results[1]"}
    assert "777" not in json.dumps(line)


def test_both_metrics_are_there_before_anything_was_compared(folder: Path) -> None:
    with serving(model(folder, "any.onnx", SLIGHTLY)) as server:
        text = server.client.get("/metrics").text
    assert "# TYPE modelserver_mirror_answers_total counter" in text
    assert "# TYPE modelserver_mirror_difference histogram" in text


HANDLED: list[tuple[str, str]] = [
    ('{"p": 0.501, "label": "yes", "more": 1}', "agrees"),
    ('{"p": 0.6, "label": "yes"}', "differs"),
    ('{"p": 0.5, "label": "no"}', "differs"),
    ("1 / 0", "differs"),
]


@pytest.mark.parametrize(("answer", "agreement"), HANDLED)
def test_what_handlers_answer_is_compared(tmp_path: Path, answer: str, agreement: str) -> None:
    file = tmp_path / "live.json"
    ours = script(tmp_path / "stable", 'return {"p": 0.5, "label": "yes"}')
    theirs = script(tmp_path / "canary", f"return {answer}")
    with serving(f"--handler=h={ours}", f"--live-settings={file}") as server, handled(theirs) as canary:
        stable = Stable(server, file)
        stable.mirror(canary.url)
        stable.finds(agreement, ask_handler)
        assert server.metric(f'modelserver_mirror_answers_total{{agreement="{agreement}",model="h",version=""}}')
        assert {line.partition("protocol=")[2][:8] for line in counted(canary)} == {'"mirror"'}


def handled(script: Path) -> Any:
    return serving(f"--handler=h={script}")


def ask_handler(server: ServerProcess) -> httpx.Response:
    answer = server.client.post("/score", content=b'{"any": "thing"}')
    assert answer.status_code == 200
    return answer


def counted(server: ServerProcess) -> list[str]:
    """The lines that count requests."""
    lines = server.client.get("/metrics").text.splitlines()
    return [line for line in lines if line.startswith("modelserver_requests_total{")]
