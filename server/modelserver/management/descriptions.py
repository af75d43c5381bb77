"""Index, configuration and statistics of the models, as plain data: REST writes it as JSON, gRPC as messages.

Names and meanings are those of Triton's protocol extensions; what this server does not know is left out or 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelserver.models.repository import State

if TYPE_CHECKING:
    from modelserver.models.model import Model
    from modelserver.models.repository import Models
    from modelserver.models.signature import TensorSpec
    from modelserver.observe.metrics import Distribution, Metrics

EXTENSIONS = ("model_repository", "model_configuration", "statistics")
PLATFORM = "onnxruntime_onnx"


def index(models: Models, *, only_ready: bool = False) -> list[dict[str, str]]:
    """Every version that the server knows of, its state, and the reason where it is unavailable."""
    return [
        {"name": entry.name, "version": entry.version, "state": entry.state.value, "reason": entry.reason}
        for entry in models.entries()
        if entry.state is State.READY or not only_ready
    ]


def names(models: Models) -> list[str]:
    """The models that are loaded."""
    return list(dict.fromkeys(model.name for model in models))


def configuration(model: Model) -> dict[str, object]:
    """As Triton's `ModelConfig`. Its `max_batch_size` of 0 says that dims are given with the first axis."""
    return {
        "name": model.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": 0,
        "input": [_tensor(spec) for spec in model.signature.inputs],
        "output": [_tensor(spec) for spec in model.signature.outputs],
    }


def statistics(models: Models, metrics: Metrics, name: str | None, version: str | None) -> list[dict[str, object]]:
    """As Triton's `ModelStatistics`: of all models, of all versions of `name`, or of one. Raises ModelNotFound."""
    if name and version:
        return [_statistics(models.find(name, version), metrics)]
    if name:
        models.find(name)
    return [_statistics(model, metrics) for model in models if name in (None, model.name)]


def _tensor(spec: TensorSpec) -> dict[str, object]:
    datatype = "STRING" if spec.datatype.is_text else spec.datatype.name
    return {"name": spec.name, "data_type": f"TYPE_{datatype}", "dims": spec.described()["shape"]}


def _statistics(model: Model, metrics: Metrics) -> dict[str, object]:
    runs = metrics.model(model.name, model.version)
    endpoints = metrics.endpoints(model.name, model.version).values()
    answers = sum(meter.seconds.count for meter in endpoints)
    failures = sum(count for meter in endpoints for code, count in meter.answers.items() if code >= 400)
    failed_s = sum(meter.failed_seconds for meter in endpoints)
    seconds = sum(meter.seconds.total for meter in endpoints)
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": round(runs.last_run_at * 1000),
        "inference_count": round(runs.rows.total),
        "execution_count": runs.rows.count,
        "inference_stats": {
            "success": _duration(answers - failures, seconds - failed_s),
            "fail": _duration(failures, failed_s),
            "queue": _of(runs.queue_seconds),
            "compute_input": _duration(0, 0),
            "compute_infer": _of(runs.run_seconds),
            "compute_output": _duration(0, 0),
            "cache_hit": _duration(0, 0),
            "cache_miss": _duration(0, 0),
        },
        "batch_stats": [],
    }


def _of(distribution: Distribution) -> dict[str, int]:
    return _duration(distribution.count, distribution.total)


def _duration(count: int, seconds: float) -> dict[str, int]:
    return {"count": count, "ns": round(seconds * 1e9)}
