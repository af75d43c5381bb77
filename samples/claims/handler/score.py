"""Puts a tokenizer in front of the claims-lstm model: texts in, labels and probabilities out, as of the others.

Serve it with `--model lstm=build/models/claims-lstm/1 --handler samples/claims/handler`. The network itself runs
in the server, which batches it; the vocabulary lies beside it, in the folder that AZUREML_MODEL_DIR names.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from modelserver.handlers import models

LENGTH = 125
UNKNOWN = 1
vocabulary: dict[str, int] = {}


def init() -> None:
    """Reads the vocabulary, once for each process."""
    vocabulary.update(json.loads((Path(os.environ["AZUREML_MODEL_DIR"]) / "vocabulary.json").read_text()))


def run(raw_data: str) -> dict[str, Any]:
    """The label and probabilities of each text of `{"data": ["A taxi hit my van.", …]}`."""
    texts = json.loads(raw_data)["data"]
    probabilities = models.only.run({"words": np.stack([words(text) for text in texts])})["probabilities"]
    labels = probabilities.argmax(axis=1).tolist()
    rows = zip(labels, probabilities.tolist(), strict=True)
    return {"results": [{"label": label, "probabilities": row} for label, row in rows]}


def words(text: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The indices of the last words of `text`, with zeros in front, as the network was trained with."""
    row = np.zeros(LENGTH, np.float32)
    indices = [vocabulary.get(word, UNKNOWN) for word in re.findall("[a-z]+", text.lower())][-LENGTH:]
    row[LENGTH - len(indices) :] = indices
    return row
