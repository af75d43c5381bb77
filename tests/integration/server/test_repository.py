"""Models are listed, loaded and unloaded at run time, with Triton's requests."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support import onnx_models
from tests.support.onnx_models import saved
from tests.support.server_process import ServerProcess, serving
from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODY = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}
DOUBLE, SAME = onnx_models.double(["N", 2]), onnx_models.identity("FP32", ["N", 2])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Has `stored` in the versions 2 and 10, and `flat` without a version."""
    saved(SAME, tmp_path / "stored" / "10" / "model.onnx")
    saved(DOUBLE, tmp_path / "stored" / "2" / "model.onnx")
    saved(DOUBLE, tmp_path / "flat" / "model.onnx")
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "notes.txt").write_text("not a model")
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[ServerProcess]:
    always = saved(onnx_models.slow(), folder.parent / f"{folder.name}.onnx")
    with serving(f"--model=always={always}", f"--models-dir={folder}", "--model-control=explicit") as process:
        yield process


def load(server: ServerProcess, name: str, act: str = "load", **body: object) -> httpx.Response:
    return server.client.post(f"/v2/repository/models/{name}/{act}", json=body or None)


def index(server: ServerProcess, **body: object) -> dict[tuple[str, str], str]:
    found = server.client.post("/v2/repository/index", json=body or None).json()
    return {(entry["name"], entry["version"]): entry["state"] for entry in found}


def doubles(server: ServerProcess, name: str, version: str = "") -> bool:
    """Whether the model answers with the double of what it gets; the other one gives back the same."""
    path = f"/v2/models/{name}{f'/versions/{version}' if version else ''}/infer"
    answer = server.client.post(path, json=BODY)
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["outputs"][0]["data"] == [2, 4])


def test_without_model_control_the_whole_folder_is_served_and_stays_so(folder: Path) -> None:
    with serving(f"--models-dir={folder}") as server:
        assert server.client.get("/v2/models").json() == {"models": ["flat", "stored"]}
        assert server.client.get("/v2/models/stored").json()["versions"] == ["2", "10"]
        assert not doubles(server, "stored")
        assert doubles(server, "stored", "2")
        assert doubles(server, "flat")
        refused = load(server, "stored")
        assert (refused.status_code, "--model-control explicit" in refused.json()["error"]) == (403, True)
        assert load(server, "stored", "unload").status_code == 403
        assert doubles(server, "flat")


def test_with_model_control_models_of_the_folder_wait_to_be_asked_for(server: ServerProcess) -> None:
    waiting = {("stored", "2"): "UNAVAILABLE", ("stored", "10"): "UNAVAILABLE", ("flat", "1"): "UNAVAILABLE"}
    assert index(server) == {("always", "1"): "READY", **waiting}
    refused = server.client.post("/v2/models/stored/infer", json=BODY)
    assert refused.status_code == 404
    assert refused.json()["error"] == "the model 'stored' is not loaded: it was not loaded yet"
    assert load(server, "stored").status_code == 200
    assert not doubles(server, "stored")
    assert doubles(server, "stored", "2")
    assert index(server, ready=True) == {
        ("always", "1"): "READY",
        ("stored", "2"): "READY",
        ("stored", "10"): "READY",
    }


def test_an_unloaded_model_is_gone_and_can_come_back(server: ServerProcess) -> None:
    load(server, "flat")
    assert load(server, "flat", "unload", parameters={"unload_dependents": True}).status_code == 200
    assert index(server)["flat", "1"] == "UNAVAILABLE"
    assert server.client.get("/v2/models/flat/ready").status_code == 404
    assert server.client.get("/v2/health/ready").status_code == 200
    assert load(server, "flat").status_code == 200
    assert doubles(server, "flat")


def test_a_new_version_takes_over_and_one_whose_files_are_gone_leaves(server: ServerProcess, folder: Path) -> None:
    load(server, "stored")
    saved(DOUBLE, folder / "stored" / "11" / "model.onnx")
    shutil.rmtree(folder / "stored" / "2")
    assert load(server, "stored").status_code == 200
    assert doubles(server, "stored")
    assert index(server)["stored", "2"] == "UNAVAILABLE"
    assert server.client.get("/v2/models/stored").json()["versions"] == ["10", "11"]


def test_a_version_that_cannot_be_loaded_leaves_the_others_in_service(server: ServerProcess, folder: Path) -> None:
    load(server, "stored")
    (folder / "stored" / "11").mkdir()
    (folder / "stored" / "11" / "model.onnx").write_bytes(b"not a model")
    (folder / "stored" / "10" / "model.onnx").write_bytes(b"not a model any more")
    refused = load(server, "stored")
    assert (refused.status_code, "cannot be loaded from" in refused.json()["error"]) == (400, True)
    assert not doubles(server, "stored")
    assert index(server)["stored", "10"] == "READY"


def test_what_has_not_changed_is_not_loaded_again(server: ServerProcess, folder: Path) -> None:
    load(server, "stored")
    loaded = [event for event in server.log if event["message"] == "model ready"]
    saved(DOUBLE, folder / "stored" / "10" / "model.onnx")
    load(server, "stored")
    wait_until(lambda: sum(event["message"] == "model ready" for event in server.log) == len(loaded) + 1)
    assert doubles(server, "stored", "10")


def test_requests_for_the_same_model_share_one_load(server: ServerProcess, folder: Path) -> None:
    saved(onnx_models.long_to_load(5000), folder / "long" / "1" / "model.onnx")
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: load(server, "long").status_code, range(4)))
    assert answers == [200] * 4
    assert sum(event.get("model") == "long" for event in server.log if event["message"] == "model ready") == 1


def test_others_answer_while_a_model_loads_and_it_is_listed_as_loading(
    server: ServerProcess, folder: Path
) -> None:
    load(server, "flat")
    saved(onnx_models.long_to_load(20_000), folder / "long" / "1" / "model.onnx")
    with ThreadPoolExecutor(1) as threads:
        loading = threads.submit(load, server, "long")
        wait_until(lambda: server.client.get("/v2/models/long/ready").status_code == 503)
        answered = 0
        while not loading.done():
            assert doubles(server, "flat")
            answered += 1
        assert server.client.get("/v2/health/ready").status_code == 200
        assert loading.result().status_code == 200
    assert answered > 10
    assert server.client.get("/v2/models/long/ready").status_code == 200


def test_requests_that_are_there_already_are_answered_by_the_unloaded_model(server: ServerProcess) -> None:
    turns = 1000
    with ThreadPoolExecutor(6) as threads:
        waiting = [threads.submit(server.score, [turns]) for _ in range(6)]
        wait_until(lambda: server.metric('modelserver_requests_in_flight{model="always",version="1"}') == 6)
        assert load(server, "always", "unload").status_code == 200
        assert server.score([turns], model_name="always").status_code == 404
        assert [future.result().status_code for future in waiting] == [200] * 6


@pytest.mark.parametrize(
    ("path", "content", "status", "sentence"),
    [
        ("models/unknown/load", b"", 404, "no model 'unknown' in"),
        ("models/..%2Fstored/load", b"", 404, "no model '../stored' in"),
        ("models/unknown/unload", b"", 404, "no model 'unknown' here"),
        ("models/stored/load", b'{"parameters": {"config": "{}"}}', 400, "'config' is not taken"),
        ("models/stored/load", b'{"parameters": {"file:1/model.onnx": "AA=="}}', 400, "is not taken"),
        ("models/stored/load", b'{"parameters": []}', 400, "'parameters' must be an object"),
        ("models/stored/load", b"[]", 400, "JSON object"),
        ("index", b'{"ready": 1}', 400, "'ready' must be true or false"),
        ("index", b"{", 400, "not valid JSON"),
    ],
)
def test_what_cannot_be_done_is_explained(
    server: ServerProcess, path: str, content: bytes, status: int, sentence: str
) -> None:
    answer = server.client.post(f"/v2/repository/{path}", content=content)
    assert answer.status_code == status, answer.text
    assert sentence in answer.json()["error"]
    assert index(server, ready=True) == {("always", "1"): "READY"}


def test_loading_and_unloading_leave_no_memory_behind(server: ServerProcess, folder: Path) -> None:
    saved(onnx_models.weights(megabytes=64), folder / "heavy" / "1" / "model.onnx")

    def resident() -> float:
        return (server.metric("process_resident_memory_bytes") or 0) / 2**20

    load(server, "heavy")
    load(server, "heavy", "unload")
    wait_until(lambda: server.logged("model unloaded"))
    before = resident()
    for _ in range(4):
        assert load(server, "heavy").status_code == 200
        assert resident() > before + 50
        assert load(server, "heavy", "unload").status_code == 200
    wait_until(lambda: resident() < before + 10)


def test_a_load_that_has_begun_is_answered_before_the_end(server: ServerProcess, folder: Path) -> None:
    saved(onnx_models.long_to_load(20_000), folder / "long" / "1" / "model.onnx")
    with ThreadPoolExecutor(1) as threads:
        loading = threads.submit(load, server, "long")
        wait_until(lambda: server.client.get("/v2/models/long/ready").status_code == 503)
        server.process.terminate()
        assert server.process.wait(30) == 0
        assert loading.result().status_code == 200
