"""A model that does not fit into the memory that is left is refused before it is loaded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from modelserver.errors import ModelInvalid, ModelTooLarge
from modelserver.loading.trial import ANYTHING, WEIGHTS, check_fits
from modelserver.settings.memory import resident_bytes
from modelserver.settings.options import ModelSource
from tests.support import onnx_models
from tests.support.onnx_models import saved

if TYPE_CHECKING:
    from pathlib import Path

MIB = 2**20


def source(path: Path) -> ModelSource:
    return ModelSource("m", "1", path)


def left(megabytes: int) -> int:
    """A limit that leaves so much."""
    return resident_bytes() + megabytes * MIB


def test_weights_that_are_more_than_what_is_left_are_refused_with_the_numbers(tmp_path: Path) -> None:
    file = saved(onnx_models.weights(megabytes=64), tmp_path / "m.onnx")
    with pytest.raises(
        ModelTooLarge, match=r"'m' does not fit: loading its 64 MiB of files takes more than the (59|60) MiB"
    ):
        check_fits(source(file), left(60), factor=WEIGHTS)


def test_weights_that_fit_are_not_refused_where_it_takes_a_trial_to_know(tmp_path: Path) -> None:
    file = saved(onnx_models.weights(megabytes=64), tmp_path / "m.onnx")
    check_fits(source(file), left(220), factor=WEIGHTS)


def test_a_model_that_is_far_larger_than_its_file_is_refused_as_well(tmp_path: Path) -> None:
    file = saved(onnx_models.vocabulary(words=400_000), tmp_path / "m.onnx")
    assert file.stat().st_size < 8 * MIB
    with pytest.raises(ModelTooLarge, match="'m' does not fit"):
        check_fits(source(file), left(110), factor=ANYTHING)
    check_fits(source(file), left(240), factor=ANYTHING * 1000)


def test_a_model_that_is_broken_is_left_to_who_loads_it(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"not a model")
    check_fits(source(tmp_path / "m.onnx"), left(100), factor=1_000_000_000)


def test_a_model_that_is_not_there_is_no_matter_of_memory(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="no model at"):
        check_fits(source(tmp_path / "m.onnx"), left(100), factor=1)


def test_nothing_is_tried_without_a_limit_or_with_enough_memory(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.onnx")  # who tries to read it waits for ever
    check_fits(source(tmp_path / "m.onnx"), None, factor=1_000_000_000)
