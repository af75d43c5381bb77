"""What handlers ask of the served models, as one more protocol: batched, limited and counted like the others."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from modelserver.errors import BadRequest, Error
from modelserver.handlers import values
from modelserver.handlers.frames import Frame
from modelserver.protocols.inference import Inference
from modelserver.service import DEFECT

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from modelserver.handlers.frames import Buffer
    from modelserver.models.datatypes import Array
    from modelserver.models.model import Model
    from modelserver.models.signature import Signature, TensorSpec
    from modelserver.service import InferenceService

log = logging.getLogger(__name__)

NAME = "handler"


def parse(model: Model, request: Frame) -> Inference[Frame]:
    """The inference that a handler asks of `model`. Raises BadRequest."""
    signature = model.signature
    try:
        buffers = iter(request.buffers)
        given = {name: values.restored(value, buffers) for name, value in request.head["inputs"].items()}
    except (ValueError, TypeError, LookupError, AttributeError, StopIteration) as error:
        raise BadRequest(f"the inputs for the model '{model.name}' cannot be read: {error}") from None
    outputs = _outputs(signature, request.head.get("outputs"))
    return Inference(_feed(signature, given), outputs, partial(_answer, outputs))


def refusal(error: Error) -> Frame:
    """`error` as the handler gets it: its kind is the name of its class."""
    return Frame({"error": {"kind": type(error).__name__, "message": str(error)}})


def _as_error(error: Exception) -> Error:
    """`error`, or for any other exception that there is a defect: the handler must get an answer all the same."""
    if isinstance(error, Error):
        return error
    log.error("a handler's call met a defect of the server", exc_info=error)
    return Error(DEFECT)


def _outputs(signature: Signature, wanted: list[str] | None) -> Sequence[str]:
    for name in wanted or ():
        if name not in signature.all_outputs:
            raise BadRequest(
                f"the model has no output '{name}'; its outputs are {', '.join(signature.all_outputs)}"
            )
    return wanted or signature.all_outputs


def _feed(signature: Signature, given: dict[str, Any]) -> dict[str, Array]:
    feed = {}
    for name, array in given.items():
        spec = signature.input(name)
        feed[name] = _as_wanted(spec, array)
        spec.check_shape(array.shape)
    signature.check_complete(set(feed))
    return feed


def _as_wanted(spec: TensorSpec, array: Array) -> Array:
    """`array` in the type that the model wants, as far as no number is changed by more than rounding."""
    wanted = spec.datatype.dtype
    if array.dtype == wanted:
        return array
    try:
        with np.errstate(over="raise"):
            cast = array.astype(wanted, casting="no" if spec.datatype.is_text else "same_kind")
    except (TypeError, FloatingPointError) as error:
        raise BadRequest(f"the input {spec} cannot be made of these {array.dtype}: {error}") from None
    if wanted.kind in "iu" and not np.array_equal(cast, array):
        raise BadRequest(f"the input {spec} got a number that it cannot hold")
    return cast


def _answer(names: Sequence[str], found: list[object]) -> Frame:
    buffers: list[Buffer] = []
    outputs = {name: values.described(value, buffers) for name, value in zip(names, found, strict=True)}
    return Frame({"outputs": outputs}, buffers)


class Calls:
    """Puts what handlers ask to the models, once those are `loaded`: a handler's `init` may come before that."""

    def __init__(self, service: InferenceService, loaded: asyncio.Event) -> None:
        self._service = service
        self._loaded = loaded

    async def exchange(self, frame: Frame) -> Frame:
        """The answer to what a handler asks. Never raises."""
        await self._loaded.wait()
        started = time.perf_counter()
        model = None
        try:
            model = self._model(frame)
            answer, status = await self._run(model, frame), 200
        except Exception as error:
            refused = _as_error(error)
            answer, status = refusal(refused), refused.status
        seconds = time.perf_counter() - started
        self._service.metrics.endpoint(model, NAME).answered(status, seconds, len(frame), len(answer))
        return answer

    def _model(self, frame: Frame) -> Model:
        name, version = frame.head.get("model"), frame.head.get("version")
        models = self._service.models
        return models.find(name, version) if name else models.only()

    async def _run(self, model: Model, frame: Frame) -> Frame:
        inference = parse(model, frame)
        return inference.answer(await self._service.scheduler.run(model, inference.feed, inference.outputs))
