"""A model is loaded from a file or a folder, or the reason why not is a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from modelserver.errors import ModelFailed, ModelInvalid
from modelserver.models.model import load, model_file
from tests.support import onnx_models
from tests.support.onnx_models import saved

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_with_one_model_is_as_good_as_the_file(tmp_path: Path) -> None:
    file = saved(onnx_models.double(["N", 2]), tmp_path / "any-name.onnx")
    assert model_file(tmp_path) == model_file(file) == file


def test_a_model_in_a_subfolder_is_found_when_the_top_has_none(tmp_path: Path) -> None:
    file = saved(onnx_models.double(["N", 2]), tmp_path / "1" / "model.onnx")
    assert model_file(tmp_path) == file
    top = saved(onnx_models.double(["N", 2]), tmp_path / "model.onnx")
    assert model_file(tmp_path) == top


def test_a_folder_with_several_models_asks_to_name_one(tmp_path: Path) -> None:
    saved(onnx_models.double(["N", 2]), tmp_path / "a.onnx")
    saved(onnx_models.double(["N", 2]), tmp_path / "b.onnx")
    with pytest.raises(ModelInvalid, match=r"several .onnx files \(a.onnx, b.onnx\); name one"):
        load("m", "1", tmp_path)
    load("m", "1", tmp_path / "a.onnx")


def test_a_model_whose_weights_are_in_a_file_beside_it_runs(tmp_path: Path) -> None:
    onnx.save(onnx_models.lookup(rows=3), tmp_path / "model.onnx", save_as_external_data=True, size_threshold=0)
    assert (tmp_path / "model.onnx").stat().st_size < sum(file.stat().st_size for file in tmp_path.iterdir())
    model = load("m", "1", tmp_path)
    assert model.run({"index": np.array([2])}, ["row"]) == [np.array([2])]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "no .onnx file"), (b"", "cannot be loaded"), (b"<html>not a model</html>", "cannot be loaded")],
)
def test_what_is_no_model_is_refused_with_name_and_path(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelInvalid, match=sentence) as refused:
        load("m", "1", tmp_path)
    assert str(tmp_path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="there is no model at"):
        load("m", "1", tmp_path / "nothing")


def test_a_warm_up_runs_every_datatype(tmp_path: Path) -> None:
    for name in onnx_models.ELEMENT:
        load("m", "1", saved(onnx_models.identity(name, ["N", 2, None]), tmp_path / f"{name}.onnx")).warm_up()


def test_a_warm_up_that_the_model_fails_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelFailed, match="'m' failed on this input"):
        load("m", "1", saved(onnx_models.never_runs(), tmp_path / "model.onnx")).warm_up()
