"""Which models may answer several requests in one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelserver.models.model import Model, load
from modelserver.scheduling.batch import can_share_rows
from modelserver.scheduling.probe import Findings, probe
from tests.support import onnx_models
from tests.support.onnx_models import saved

if TYPE_CHECKING:
    from pathlib import Path

    import onnx


def loaded(graph: onnx.ModelProto, folder: Path) -> tuple[Model, Path]:
    path = saved(graph, folder / "model.onnx")
    return load("m", "1", path), path


def probed(graph: onnx.ModelProto, folder: Path) -> Findings:
    return probe(*loaded(graph, folder))


def test_rows_that_are_independent_may_share_a_run(tmp_path: Path) -> None:
    assert probed(onnx_models.double(["N", 30]), tmp_path).max_rows >= 8


@pytest.mark.parametrize(
    "graph",
    [
        onnx_models.softmax_over_rows(),
        onnx_models.running_total(),
        onnx_models.noise(),
        onnx_models.constant(),
    ],
    ids=["normalises over the rows", "adds up along the rows", "never gives the same", "tells rows not apart"],
)
def test_rows_that_are_not_proved_independent_never_share_a_run(graph: onnx.ModelProto, tmp_path: Path) -> None:
    model, path = loaded(graph, tmp_path)
    assert can_share_rows(model.signature)  # by its shapes it could
    assert probe(model, path).max_rows == 1


@pytest.mark.parametrize(
    "graph",
    [onnx_models.double([4, 2]), onnx_models.double([]), onnx_models.zip_map(), onnx_models.rows_and_a_scalar()],
    ids=["fixed rows", "a scalar", "sequences of maps", "a scalar output"],
)
def test_shapes_that_do_not_allow_it_are_not_even_tried(graph: onnx.ModelProto, tmp_path: Path) -> None:
    model, path = loaded(graph, tmp_path)
    assert not can_share_rows(model.signature)
    assert probe(model, path).max_rows == 1


def test_a_text_model_is_asked_with_words_that_stand_in_its_file(tmp_path: Path) -> None:
    assert probed(onnx_models.word_counts(["car", "insurance", "house"]), tmp_path).max_rows > 1


def test_a_model_with_a_loop_is_not_steady(tmp_path: Path) -> None:
    assert not probed(onnx_models.slow(), tmp_path).steady
    assert probed(onnx_models.double(["N", 2]), tmp_path).steady


def test_what_runs_took_is_known_afterwards(tmp_path: Path) -> None:
    findings = probed(onnx_models.double(["N", 2]), tmp_path)
    assert 0 < findings.costs.of(8) < 1
