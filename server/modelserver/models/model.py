"""One ONNX model, loaded by ONNX Runtime and ready to run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import onnxruntime as ort

from modelserver.errors import ModelFailed, ModelInvalid
from modelserver.models.datatypes import BY_ONNX
from modelserver.models.files import model_file
from modelserver.models.signature import Signature, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from modelserver.models.datatypes import Array

# Every failure is raised and logged by this server: ONNX Runtime's own lines on stderr would only repeat it.
ort.set_default_logger_severity(4)


class Model:
    """A loaded model. `run` may be called from several threads at once and leaves the GIL to others."""

    def __init__(self, name: str, version: str, session: Any, load_s: float) -> None:
        self.name = name
        self.version = version
        self.load_s = load_s
        self.signature = _signature(session)
        self._session = session

    def run(
        self, feed: dict[str, Array], outputs: Sequence[str], options: ort.RunOptions | None = None
    ) -> list[object]:
        """The values of `outputs` in that order: arrays, or lists for sequences. Raises ModelFailed."""
        try:
            result: list[object] = self._session.run(outputs, feed, options)
        except Exception as error:
            raise ModelFailed(f"the model '{self.name}' failed on this input: {_one_line(error)}") from error
        return result

    def warm_up(self) -> None:
        """Runs the model once on made-up input, so that the first request is not the slow one.

        Raises ModelFailed; that says little about real input, so callers may carry on.
        """
        self.run({spec.name: spec.sample() for spec in self.signature.inputs}, self.signature.all_outputs)


def load(name: str, version: str, path: Path) -> Model:
    """The model in the file `path`, or in the only .onnx or .ort file of the folder `path`.

    Raises ModelInvalid with the sentence that the person on call needs.
    """
    started = time.perf_counter()
    file = model_file(path)
    try:
        session = ort.InferenceSession(str(file), _options(), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelInvalid(f"the model '{name}' cannot be loaded from {file}: {_one_line(error)}") from error
    return Model(name, version, session, time.perf_counter() - started)


def _options() -> ort.SessionOptions:
    """Runs use one thread each: the server runs as many of them side by side as it has CPUs.

    Memory patterns plan a run's memory in one piece for each shape of input. Batches and texts come in many
    shapes: without patterns an image model was as fast, and its arena settled at three quarters of the size.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    return options


def _signature(session: Any) -> Signature:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    for node in inputs:
        if node.type not in BY_ONNX:
            raise ModelInvalid(f"the input '{node.name}' is a {node.type}, which no request can carry")
    for node in outputs:
        if node.type.startswith("tensor(") and node.type not in BY_ONNX:
            raise ModelInvalid(f"the output '{node.name}' is a {node.type}, which no answer can carry")
    return Signature(
        inputs=tuple(_spec(node) for node in inputs),
        outputs=tuple(_spec(node) for node in outputs if node.type in BY_ONNX),
        all_outputs=tuple(node.name for node in outputs),
    )


def _spec(node: Any) -> TensorSpec:
    return TensorSpec(node.name, BY_ONNX[node.type], _shape(node.shape))


def _shape(dims: Sequence[int | str | None]) -> tuple[int, ...] | None:
    """ONNX Runtime gives [] both for a scalar and for an unknown rank: leave the rank to the model then."""
    return tuple(dim if isinstance(dim, int) else -1 for dim in dims) or None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
