"""Warming a model up before it is ready: with a request that it brings along, or else with made-up input."""

from __future__ import annotations

import logging
from pathlib import Path

from modelserver.errors import Error, ModelFailed, ModelInvalid
from modelserver.http.message import Request
from modelserver.models.model import Model
from modelserver.protocols import oip, score
from modelserver.protocols.tensors import loads

log = logging.getLogger(__name__)

FILE = "warmup.json"


def warm_up(model: Model, path: Path) -> None:
    """Run the model once, so that the first request is not the slow one.

    A file ``warmup.json`` beside the model holds a request body, of ``/score`` or (with ``inputs``) of the Open
    Inference Protocol, that the model has to answer: raises ModelInvalid when it does not, so that a broken
    version never becomes ready. Made-up input may be no input at all for a good model, so there a failure is only
    worth a warning.
    """
    file = (path if path.is_dir() else path.parent) / FILE
    if file.is_file():
        _answer(model, file)
        return
    try:
        model.warm_up()
    except ModelFailed as error:
        log.warning("warm-up failed, serving all the same: %s", error)


def _answer(model: Model, file: Path) -> None:
    try:
        body = file.read_bytes()
        protocol = oip if "inputs" in loads(body) else score
        inference = protocol.parse(model, Request("POST", "/", {}, body))
        inference.answer(model.run(inference.feed, inference.outputs))
    except Error as error:
        raise ModelInvalid(
            f"the model '{model.name}' does not answer the request in its {FILE}: {error}"
        ) from error
