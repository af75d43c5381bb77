"""A handler asks the models that the server has loaded; the sample's tokenizer is one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from modelserver.models.model import load
from samples import claims
from samples.claims import lstm, texts, train
from tests.support import onnx_models
from tests.support.handlers import script
from tests.support.onnx_models import saved
from tests.support.server_process import serving
from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server_process import ServerProcess

HANDLER = Path(claims.__file__).parent / "handler"
CLAIMS = json.loads(Path(train.__file__).with_name("claims.json").read_text())
TEXTS = [claim["text"] for claim in CLAIMS] + ["", "Ein Rohrbruch?!", "word " * 300, "of the car " * 50]
BEFORE = """
import json, os
from modelserver.handlers import ModelError, models
"""
RUN = """
asked = json.loads(data)
key = asked["model"] if isinstance(asked["model"], str) else tuple(asked["model"])
try:
    outputs = models[key].run(asked["feed"], asked.get("outputs"))
except ModelError as error:
    return {"kind": error.kind, "message": str(error)}
return {name: getattr(value, "tolist", lambda: value)() for name, value in outputs.items()}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The LSTM, trained on a few claims, as the samples' training writes it."""
    found = tmp_path_factory.mktemp("claims-lstm")
    archive = texts.write(200, np.random.default_rng(1))
    vocabulary = lstm.vocabulary_of(archive)
    rows, labels = lstm.encoded([claim.text for claim in archive], vocabulary), [claim.label for claim in archive]
    weights = lstm.train(rows, np.array(labels), np.random.default_rng(2), epochs=1)
    saved(lstm.exported(weights), found / "model.onnx")
    (found / "vocabulary.json").write_text(json.dumps(vocabulary))
    return found


def test_the_tokenizer_of_the_sample_answers_as_the_training_pipeline_does(folder: Path) -> None:
    vocabulary = json.loads((folder / "vocabulary.json").read_text())
    model = load("lstm", "1", folder)
    (expected,) = model.run({"words": lstm.encoded(TEXTS, vocabulary)}, ["probabilities"])
    with serving("--model", f"lstm={folder}", "--handler", str(HANDLER)) as server:
        together = server.score(TEXTS).json()["results"]
        alone = [server.score([text]).json()["results"][0] for text in TEXTS]
    assert [row["probabilities"] for row in together] == np.asarray(expected).tolist()
    assert [row["label"] for row in together] == np.asarray(expected).argmax(axis=1).tolist()
    assert np.allclose([row["probabilities"] for row in alone], np.asarray(expected), atol=1e-6)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("handler")
    models = {
        "double:1": onnx_models.identity("FP32", ["N"]),
        "double:2": onnx_models.double(["N"]),
        "text": onnx_models.identity("BYTES", ["N"]),
        "maps": onnx_models.zip_map(),
        "lookup": onnx_models.lookup(rows=3),
    }
    given = [f"--model={name}={saved(model, folder / f'{name}.onnx')}" for name, model in models.items()]
    with serving("--handler", str(script(folder, RUN, before=BEFORE)), *given) as process:
        yield process


def asked(server: ServerProcess, model: object, feed: object, **more: object) -> object:
    return server.client.post("/score", json={"model": model, "feed": feed, **more}).json()


def test_numbers_text_and_maps_go_and_come(server: ServerProcess) -> None:
    assert asked(server, "double", {"x": [1.5, 2]}) == {"y": [3.0, 4.0]}
    assert asked(server, "text", {"x": ["ü", ""]}) == {"y": ["ü", ""]}
    scores = [{"auto": 0.25, "home": 0.75}]
    assert asked(server, "maps", {"x": [[0.25, 0.75]]}, outputs=["scores"]) == {"scores": scores}


def test_the_last_version_is_meant_unless_one_is_named(server: ServerProcess) -> None:
    assert asked(server, "double", {"x": [1]}) == {"y": [2.0]}
    assert asked(server, ["double", "1"], {"x": [1]}) == {"y": [1.0]}


@pytest.mark.parametrize(
    ("model", "feed", "kind", "part"),
    [
        ("none", {"x": [1.0]}, "ModelNotFound", "no model 'none'"),
        ("double", {"z": [1.0]}, "BadRequest", "no input 'z'"),
        ("double", {"x": [[1.0]]}, "BadRequest", "got the shape [1, 1]"),
        ("lookup", {"index": [7]}, "ModelFailed", "failed on this input"),
    ],
)
def test_what_goes_wrong_is_raised_with_its_kind(
    server: ServerProcess, model: str, feed: object, kind: str, part: str
) -> None:
    found = asked(server, model, feed)
    assert isinstance(found, dict)
    assert (found["kind"], part in found["message"]) == (kind, True)


def test_calls_are_counted_for_the_model(server: ServerProcess) -> None:
    series = 'modelserver_requests_total{code="200",model="text",protocol="handler",version="1"}'
    before = server.metric(series) or 0
    asked(server, "text", {"x": ["a"]})
    assert server.metric(series) == before + 1


def test_init_may_ask_a_model_that_still_loads(tmp_path: Path) -> None:
    model = saved(onnx_models.long_to_load(), tmp_path / "m.onnx")
    init = "global first\nfirst = models.only.run({'x': [0.0]})['y'].tolist()"
    path = script(tmp_path, "return first", init=init, before=BEFORE)
    with serving("--handler", str(path), "--model", f"m={model}") as server:
        assert server.client.post("/score").json() == [0.0]


def test_a_call_that_takes_too_long_ends_with_the_run(tmp_path: Path) -> None:
    model = saved(onnx_models.slow(), tmp_path / "slow.onnx")
    run = "return models['slow'].run({'turns': [int(data)]})['done'].tolist()"
    path = script(tmp_path, run, before=BEFORE)
    with serving("--handler", str(path), "--model", f"slow={model}", "--handler-timeout", "0.3") as server:
        assert server.client.post("/score", content="1").json() == 256.0
        late = server.client.post("/score", content="100000")
        assert late.json() == {"message": "Scoring timeout after 300 ms"}
        wait_until(lambda: server.client.post("/score", content="1").is_success)


def test_outside_of_a_server_it_says_so() -> None:
    from modelserver.handlers import ModelError, models  # noqa: PLC0415

    with pytest.raises(ModelError, match="only be run in a handler that a server has started"):
        models["m"].run({"x": [1]})
