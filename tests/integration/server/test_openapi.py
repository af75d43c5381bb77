"""The server does what its OpenAPI document says, and its page shows the document with nothing from elsewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import onnx_models
from tests.support.onnx_models import saved
from tests.support.server_process import ServerProcess, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

MODELS = {
    "double": onnx_models.double(["N", 2]),
    "text": onnx_models.identity("BYTES", ["N", 1]),
    "flags": onnx_models.identity("BOOL", ["N"]),
    "half": onnx_models.identity("FP16", None),
    "numbers": onnx_models.identity("INT64", ["N", "M"]),
    "quotient": onnx_models.divide(["N"]),
    "sums": onnx_models.two_outputs(),
}
EXAMPLES = 20
JSON_LENGTH = "Inference-Header-Content-Length"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder: Path = tmp_path_factory.mktemp("models")
    for name, model in MODELS.items():
        saved(model, folder / name / "1" / "model.onnx")
    saved(onnx_models.identity("FP32", ["N", 2]), folder / "double" / "2" / "model.onnx")
    with serving(f"--models-dir={folder}") as process:
        yield process


@pytest.fixture(scope="module")
def document(server: ServerProcess) -> dict[str, Any]:
    found: dict[str, Any] = server.client.get("/openapi.json").json()
    return found


def test_every_answer_is_as_described(server: ServerProcess, document: dict[str, Any], tmp_path: Path) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            # A raw request of no bytes is a tensor of no elements, not a request without its body.
            operation["parameters"] = [
                one for one in operation.get("parameters", []) if one["name"] != JSON_LENGTH
            ]
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", str(tmp_path / "openapi.json")]
    command += [f"--url={server.url}", f"--max-examples={EXAMPLES}", "--generation-deterministic", "--no-color"]
    # That data has the shape that it is declared with is more than a schema can say: what fits it may be refused.
    command += ["--phases=examples,coverage,fuzzing", "--exclude-checks=positive_data_acceptance"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout


def test_every_example_works(server: ServerProcess, document: dict[str, Any]) -> None:
    tried = 0
    for path, operations in document["paths"].items():
        content = operations.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" in content:
            assert server.client.post(path, json=content["example"]).status_code == 200, path
            tried += 1
        for name, example in content.get("examples", {}).items():
            answer = server.client.post(path, json=example["value"], params={"model_name": name})
            assert answer.status_code == 200, (name, answer.text)
            tried += 1
    assert tried == 3 * len(MODELS) + 1  # for /score, without a version, and for each version


def test_every_path_is_there(server: ServerProcess, document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        real = path.replace("{name}", "double").replace("{version}", "1")
        for method in operations:
            assert server.client.request(method, real).status_code not in (404, 405), path


def test_the_page_asks_nothing_of_other_hosts_and_runs_nothing_but_its_script(server: ServerProcess) -> None:
    page = server.client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith(
        "default-src 'none'; script-src 'self'; style-src 'self'"
    )
    assert not re.search(r"https?://|<script>|<style|\son\w+=|\sstyle=", page.text)
    for file, kind in [("docs/page.js", "text/javascript"), ("docs/page.css", "text/css")]:
        assert file in page.text
        answer = server.client.get(f"/{file}")
        assert answer.headers["content-type"].startswith(kind)
        assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|eval\(|document\.write", answer.text)
