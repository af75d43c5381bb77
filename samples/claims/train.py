"""Trains the sample models and writes them as ONNX: `python -m samples.claims.train --to DIR`.

Two runs on one machine write the same bytes (another processor may round differently). What is in DIR afterwards
is listed in the README beside this file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime as ort

from samples.claims import classifier, lstm
from samples.claims.texts import Claim, write

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = 20210
ARCHIVED, HELD_OUT = 3000, 1000
MISLABELLED = 0.05
CLAIMS_OF_VERSION_1 = 100
CLAIMS_OF_THE_LSTM = 2000
EPOCHS = 2
# What must be true of the accuracies, so that a better and a worse version can be told apart.
CLEAR_MARGIN = 0.05
WELL_ABOVE_CHANCE = 0.9


def main() -> None:
    """Trains everything and says how it went."""
    parser = argparse.ArgumentParser(description="Trains the insurance-claim models and writes them as ONNX.")
    parser.add_argument("--to", metavar="DIR", type=Path, required=True, help="where to write the models")
    train_into(parser.parse_args().to)


def train_into(folder: Path) -> None:
    """Writes all models into `folder`, and their accuracies into its metrics.json."""
    rng = np.random.default_rng(SEED)
    print(f"Writing {ARCHIVED} insurance claims to learn from and {HELD_OUT} to be measured on …", flush=True)
    archive = write(ARCHIVED, rng, MISLABELLED)
    held_out = write(HELD_OUT, rng)
    _train_classifiers(archive, folder / "claims")
    _train_lstm(archive[:CLAIMS_OF_THE_LSTM], folder / "claims-lstm" / "1", rng)
    accuracies = _measured(folder, held_out)
    _check(accuracies)
    _write_json(folder / "metrics.json", {"held_out": HELD_OUT, "accuracy": accuracies})
    print(f"Done: the models are in {folder}.", flush=True)


def _train_classifiers(archive: Sequence[Claim], folder: Path) -> None:
    print(f"Training claims version 1 on the first {CLAIMS_OF_VERSION_1} claims …", flush=True)
    _save(classifier.train(archive[:CLAIMS_OF_VERSION_1], longest_phrase=1), folder / "1")
    print(f"Training claims version 2 on all {len(archive)} claims, with phrases of two words …", flush=True)
    better = classifier.train(archive, longest_phrase=2)
    _save(better, folder / "2")
    print("Breaking version 2 on purpose: that is claims version 3 …", flush=True)
    _save(classifier.broken(better), folder / "3")
    for version in "123":
        # The server answers this request before it is ready, so version 3 never gets a user's.
        _write_json(folder / version / "warmup.json", {"data": [archive[0].text]})


def _train_lstm(archive: Sequence[Claim], folder: Path, rng: np.random.Generator) -> None:
    vocabulary = lstm.vocabulary_of(archive)
    rows = lstm.encoded([claim.text for claim in archive], vocabulary)
    labels = np.array([claim.label for claim in archive])
    print("Training claims-lstm, a small neural network …", flush=True)
    weights = lstm.train(rows, labels, rng, EPOCHS)
    _save(lstm.exported(weights), folder, weights_file="weights.bin")
    _write_json(folder / "vocabulary.json", vocabulary)


def _save(model: onnx.ModelProto, folder: Path, weights_file: str = "") -> None:
    """Writes model.onnx into `folder`, with the large weights in a file of their own if that has a name."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.checker.check_model(model)
    if not weights_file:
        onnx.save_model(model, folder / "model.onnx")
        return
    weights = folder / weights_file
    weights.unlink(missing_ok=True)  # onnx would append to it
    onnx.save_model(
        model, folder / "model.onnx", save_as_external_data=True, location=weights_file, size_threshold=256
    )
    weights.chmod(0o644)  # onnx keeps it from everyone else, unlike model.onnx


def _measured(folder: Path, claims: Sequence[Claim]) -> dict[str, float]:
    """The accuracies of the files that were written, as ONNX Runtime sees them."""
    texts = [claim.text for claim in claims]
    vocabulary = json.loads((folder / "claims-lstm/1/vocabulary.json").read_text())
    inputs = {
        "claims/1": {"text": np.array(texts, dtype=object)},
        "claims/2": {"text": np.array(texts, dtype=object)},
        "claims-lstm/1": {"words": lstm.encoded(texts, vocabulary)},
    }
    labels = [claim.label for claim in claims]
    accuracies = {}
    for name, feed in inputs.items():
        session = ort.InferenceSession(folder / name / "model.onnx")
        (probabilities,) = session.run(["probabilities"], feed)
        accuracies[name] = float(np.mean(probabilities.argmax(axis=1) == labels))
        print(
            f"{name} is right about {accuracies[name]:.1%} of {len(claims)} claims that it has not seen.",
            flush=True,
        )
    return accuracies


def _check(accuracies: dict[str, float]) -> None:
    """Raises SystemExit unless version 2 is clearly better than 1, and all are of use."""
    if accuracies["claims/2"] < accuracies["claims/1"] + CLEAR_MARGIN:
        raise SystemExit(f"claims version 2 is not clearly better than version 1: {accuracies}")
    if accuracies["claims-lstm/1"] < WELL_ABOVE_CHANCE:
        raise SystemExit(f"claims-lstm is hardly better than a guess: {accuracies}")


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


if __name__ == "__main__":
    main()
