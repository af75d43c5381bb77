"""Index, configuration and statistics of models, in Triton's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelserver.errors import ModelNotFound
from modelserver.management.descriptions import configuration, index, names, statistics
from modelserver.models.model import Model, load
from modelserver.models.repository import Models
from modelserver.observe.metrics import Metrics
from tests.support import onnx_models
from tests.support.onnx_models import saved

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return load("m", "1", saved(onnx_models.two_outputs(), tmp_path / "m.onnx"))


@pytest.fixture
def models(model: Model) -> Models:
    found = Models([("m", "1"), ("other", "1")])
    found.add(model)
    return found


def test_the_index_says_where_each_version_is_and_why(models: Models) -> None:
    models.remove("m", "2", "its files are no longer there")
    assert index(models) == [
        {"name": "m", "version": "1", "state": "READY", "reason": ""},
        {"name": "m", "version": "2", "state": "UNAVAILABLE", "reason": "its files are no longer there"},
        {"name": "other", "version": "1", "state": "LOADING", "reason": ""},
    ]
    assert [entry["version"] for entry in index(models, only_ready=True)] == ["1"]
    assert names(models) == ["m"]


def test_the_configuration_describes_tensors_with_the_batch_axis(model: Model) -> None:
    assert configuration(model) == {
        "name": "m",
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "max_batch_size": 0,
        "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [-1, 2]}],
        "output": [
            {"name": "total", "data_type": "TYPE_FP32", "dims": [-1]},
            {"name": "copy", "data_type": "TYPE_FP32", "dims": [-1, 2]},
        ],
    }


def test_text_is_called_string_in_a_configuration(tmp_path: Path) -> None:
    text = load("t", "1", saved(onnx_models.identity("BYTES", ["N"]), tmp_path / "t.onnx"))
    inputs: Any = configuration(text)["input"]
    assert inputs[0]["data_type"] == "TYPE_STRING"


def test_statistics_tell_successes_from_failures_and_rows_from_runs(model: Model, models: Models) -> None:
    metrics = Metrics()
    metrics.endpoint(model, "v2").answered(200, 0.5, 10, 10)
    metrics.endpoint(model, "grpc").answered(200, 0.25, 10, 10)
    metrics.endpoint(model, "v2").answered(400, 0.125, 10, 10)
    metrics.model("m", "1").ran(8, 0.25, 1_700_000_000.25)
    metrics.model("m", "1").queue_seconds.observe(0.125)
    (found,) = statistics(models, metrics, "m", None)
    assert (found["name"], found["version"]) == ("m", "1")
    assert (found["inference_count"], found["execution_count"]) == (8, 1)
    assert found["last_inference"] == 1_700_000_000_250
    stats: Any = found["inference_stats"]
    assert stats["success"] == {"count": 2, "ns": 750_000_000}
    assert stats["fail"] == {"count": 1, "ns": 125_000_000}
    assert stats["queue"] == {"count": 1, "ns": 125_000_000}
    assert stats["compute_infer"] == {"count": 1, "ns": 250_000_000}


def test_statistics_are_those_of_one_version_of_one_model_or_of_all(models: Models, tmp_path: Path) -> None:
    for name, version in [("m", "2"), ("other", "1")]:
        models.add(load(name, version, tmp_path / "m.onnx"))

    def found(name: str | None, version: str | None = None) -> list[tuple[object, object]]:
        return [(one["name"], one["version"]) for one in statistics(models, Metrics(), name, version)]

    assert found(None) == [("m", "1"), ("m", "2"), ("other", "1")]
    assert found("m") == [("m", "1"), ("m", "2")]
    assert found("m", "2") == [("m", "2")]
    for unknown in [("z", None), ("m", "3")]:
        with pytest.raises(ModelNotFound):
            found(*unknown)
