"""What the sample models promise to the demo, the tests and the tutorials."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from modelserver.errors import ModelFailed
from modelserver.models.model import Model, load
from samples.claims import lstm, train
from samples.claims.texts import AUTO, HOME, write

if TYPE_CHECKING:
    from collections.abc import Callable

CLAIMS = json.loads(Path(train.__file__).with_name("claims.json").read_text())
TEXTS = [claim["text"] for claim in CLAIMS]
LABELS = [{"auto": AUTO, "home": HOME}[claim["verdict"]] for claim in CLAIMS]
VERSIONS = ["1", "2", "3"]


def version(models: Path, number: str) -> Model:
    return load("claims", number, models / "claims" / number)


def answers(model: Model, texts: list[str]) -> Any:
    label, probabilities = model.run({"text": np.array(texts, dtype=object)}, ["label", "probabilities"])
    return label, probabilities


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_training_again_writes_the_same_bytes(models: Path, train_into: Callable[[Path, int], None]) -> None:
    before = files(models)

    train_into(models, 2)

    after = files(models)
    assert [name for name in before | after if before.get(name) != after.get(name)] == []


def test_the_folders_hold_these_files_and_no_others(models: Path) -> None:
    assert sorted(files(models)) == [
        "claims-lstm/1/model.onnx",
        "claims-lstm/1/vocabulary.json",
        "claims-lstm/1/weights.bin",
        "claims/1/model.onnx",
        "claims/1/warmup.json",
        "claims/2/model.onnx",
        "claims/2/warmup.json",
        "claims/3/model.onnx",
        "claims/3/warmup.json",
        "metrics.json",
    ]


def test_version_2_is_clearly_better_than_version_1_and_the_lstm_than_a_guess(models: Path) -> None:
    accuracy = json.loads((models / "metrics.json").read_text())["accuracy"]

    assert 0.75 < accuracy["claims/1"] < accuracy["claims/2"] - 0.05
    assert accuracy["claims-lstm/1"] > 0.9


def test_an_accuracy_that_is_not_clearly_better_stops_the_training() -> None:
    with pytest.raises(SystemExit, match="version 2 is not clearly better"):
        train._check({"claims/1": 0.95, "claims/2": 0.96, "claims-lstm/1": 0.98})


@pytest.mark.parametrize("number", VERSIONS)
def test_every_version_takes_texts_and_gives_labels_and_plain_probabilities(models: Path, number: str) -> None:
    signature = version(models, number).signature

    assert [spec.described() for spec in signature.inputs] == [
        {"name": "text", "datatype": "BYTES", "shape": [-1]}
    ]
    assert [spec.described() for spec in signature.outputs] == [
        {"name": "label", "datatype": "INT64", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
    ]


@pytest.mark.parametrize("number", ["1", "2"])
def test_versions_1_and_2_are_sure_of_the_verdicts_on_the_claims_of_the_demo(models: Path, number: str) -> None:
    label, probabilities = answers(version(models, number), TEXTS)

    assert label.tolist() == LABELS
    assert probabilities.max(axis=1).min() > 0.75
    assert probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("number", ["1", "2"])
@pytest.mark.parametrize("text", ["", "?!", "text", "Über 100 € Schaden", "word " * 2000], ids=len)
def test_versions_1_and_2_answer_any_text(models: Path, number: str, text: str) -> None:
    label, probabilities = answers(version(models, number), [text, TEXTS[0]])

    assert label.tolist()[1] == LABELS[0]
    assert probabilities.shape == (2, 2)


def test_capital_letters_make_no_difference(models: Path) -> None:
    _, as_written = answers(version(models, "2"), TEXTS)
    _, shouted = answers(version(models, "2"), [text.upper() for text in TEXTS])

    assert np.array_equal(as_written, shouted)


@pytest.mark.parametrize("number", VERSIONS)
def test_a_server_can_warm_up_every_version(models: Path, number: str) -> None:
    version(models, number).warm_up()


@pytest.mark.parametrize("text", ["", "text"])
def test_version_3_answers_the_made_up_inputs_of_a_warm_up(models: Path, text: str) -> None:
    label, probabilities = answers(version(models, "3"), [text])

    assert (label.shape, probabilities.shape) == ((1,), (1, 2))


def test_version_3_fails_on_every_real_claim(models: Path) -> None:
    model = version(models, "3")

    for claim in write(200, np.random.default_rng(7)):
        with pytest.raises(ModelFailed, match="out of data bounds"):
            answers(model, [claim.text])


def test_version_3_fails_on_a_batch_with_one_real_claim_in_it(models: Path) -> None:
    with pytest.raises(ModelFailed):
        answers(version(models, "3"), ["", TEXTS[0]])


@pytest.mark.parametrize("number", ["1", "2"])
def test_the_models_run_where_no_locale_is_installed(models: Path, number: str) -> None:
    script = (
        "import sys, numpy, onnxruntime\n"
        "session = onnxruntime.InferenceSession(sys.argv[1])\n"
        "print(*session.run(['label'], {'text': numpy.array(sys.argv[2:], dtype=object)})[0])\n"
    )
    command = [sys.executable, "-c", script, str(models / "claims" / number / "model.onnx"), *TEXTS]
    nowhere = {"LOCPATH": os.devnull, "LC_ALL": "C"}

    done = subprocess.run(command, check=True, env=nowhere, capture_output=True, text=True, timeout=60)

    assert done.stdout.split() == [str(label) for label in LABELS]


def test_the_lstm_gives_the_verdicts_for_word_indices(models: Path) -> None:
    vocabulary = json.loads((models / "claims-lstm/1/vocabulary.json").read_text())
    model = load("claims-lstm", "1", models / "claims-lstm/1")

    (probabilities,) = model.run({"words": lstm.encoded(TEXTS, vocabulary)}, ["probabilities"])

    assert np.asarray(probabilities).argmax(axis=1).tolist() == LABELS
    assert [spec.described() for spec in model.signature.inputs] == [
        {"name": "words", "datatype": "FP32", "shape": [-1, 125]}
    ]


def test_the_exported_lstm_computes_what_was_trained() -> None:
    claims = write(64, np.random.default_rng(3))
    rows = lstm.encoded([claim.text for claim in claims], lstm.vocabulary_of(claims))
    weights = lstm.train(rows, np.array([claim.label for claim in claims]), np.random.default_rng(4), epochs=1)
    _, _, states = lstm._forward(weights, weights["embedding"][rows.T.astype(np.int64)])

    exported = ReferenceEvaluator(lstm.exported(weights)).run(None, {"words": rows})[0]

    assert exported == pytest.approx(
        lstm._softmax(states[-1] @ weights["dense"] + weights["dense_bias"]), abs=1e-5
    )


def test_the_weights_of_the_lstm_are_in_a_second_file(models: Path) -> None:
    graph = onnx.load(models / "claims-lstm/1/model.onnx", load_external_data=False).graph
    outside = {tensor.name for tensor in graph.initializer if tensor.data_location == onnx.TensorProto.EXTERNAL}

    assert {"embedding", "input", "recurrent"} <= outside


def test_a_long_claim_keeps_its_last_words_and_a_short_one_has_zeros_in_front() -> None:
    rows = lstm.encoded(["a " * 200 + "b", "B c?"], {"a": 2, "b": 3})

    assert rows.shape == (2, 125)
    assert rows[0].tolist() == [2.0] * 124 + [3.0]
    assert rows[1].tolist() == [0.0] * 123 + [3.0, lstm.UNKNOWN]
