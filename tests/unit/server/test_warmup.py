"""Before a model is ready it answers one request: its own, or a made-up one."""

import logging
from pathlib import Path

import pytest

from modelserver.errors import ModelInvalid
from modelserver.loading.warmup import warm_up
from modelserver.models.model import load
from tests.support import onnx_models
from tests.support.onnx_models import saved


@pytest.mark.parametrize(
    "request_body",
    ['{"data": [1]}', '{"inputs": [{"name": "index", "shape": [1], "datatype": "INT64", "data": [1]}]}'],
)
def test_a_model_that_answers_its_own_request_is_warm(tmp_path: Path, request_body: str) -> None:
    model = saved(onnx_models.lookup(rows=3), tmp_path / "m.onnx")
    (tmp_path / "warmup.json").write_text(request_body)
    warm_up(load("m", "1", model), tmp_path)
    warm_up(load("m", "1", model), model)


@pytest.mark.parametrize(
    ("request_body", "sentence"),
    [
        ('{"data": [7]}', "out of data bounds"),
        ('{"data": ["text"]}', "INT64"),
        ("{", "not valid JSON"),
        ("[]", "must be a JSON object"),
    ],
)
def test_a_model_that_does_not_answer_its_own_request_is_invalid(
    tmp_path: Path, request_body: str, sentence: str
) -> None:
    saved(onnx_models.lookup(rows=3), tmp_path / "m.onnx")
    (tmp_path / "warmup.json").write_text(request_body)
    with pytest.raises(ModelInvalid, match=sentence) as invalid:
        warm_up(load("m", "1", tmp_path), tmp_path)
    assert "the model 'm' does not answer the request in its warmup.json" in str(invalid.value)


def test_made_up_input_that_is_no_input_is_worth_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved(onnx_models.never_runs(), tmp_path / "m.onnx")
    with caplog.at_level(logging.WARNING):
        warm_up(load("m", "1", tmp_path), tmp_path)
    assert "warm-up failed, serving all the same" in caplog.text
