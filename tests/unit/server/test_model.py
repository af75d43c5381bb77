"""A model is loaded from a file or a folder, or the reason why not is a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from modelserver.errors import ModelFailed, ModelInvalid
from modelserver.models.files import model_file, size_of, state_of
from modelserver.models.model import load
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
    with pytest.raises(ModelInvalid, match=r"several models \(a.onnx, b.onnx\); name one"):
        load("m", "1", tmp_path)
    load("m", "1", tmp_path / "a.onnx")


def test_a_model_whose_weights_are_in_a_file_beside_it_runs(tmp_path: Path) -> None:
    onnx.save(onnx_models.lookup(rows=3), tmp_path / "model.onnx", save_as_external_data=True, size_threshold=0)
    assert (tmp_path / "model.onnx").stat().st_size < sum(file.stat().st_size for file in tmp_path.iterdir())
    model = load("m", "1", tmp_path)
    assert model.run({"index": np.array([2])}, ["row"]) == [np.array([2])]


def test_the_files_of_a_model_are_those_that_it_names(tmp_path: Path) -> None:
    onnx.save(
        onnx_models.lookup(rows=3000), tmp_path / "model.onnx", save_as_external_data=True, location="weights.bin"
    )
    (tmp_path / "somebody-elses.bin").write_bytes(b"x" * 100_000)
    files = [tmp_path / name for name in ("model.onnx", "weights.bin")]
    assert [name for name, _, _ in state_of(tmp_path)] == [str(file) for file in files]
    assert size_of(tmp_path) == sum(file.stat().st_size for file in files) > 12_000


def test_a_model_has_changed_when_one_of_its_files_has(tmp_path: Path) -> None:
    saved(onnx_models.double(["N"]), tmp_path / "model.onnx")
    before = state_of(tmp_path)
    assert state_of(tmp_path) == before
    saved(onnx_models.double(["N", 2]), tmp_path / "model.onnx")
    assert state_of(tmp_path) != before


def test_a_model_in_the_format_of_onnx_runtime_is_served_as_well(tmp_path: Path) -> None:
    file = onnx_models.converted(onnx_models.lookup(rows=3), tmp_path / "model.ort")
    assert model_file(tmp_path) == file
    assert load("m", "1", tmp_path).run({"index": np.array([2])}, ["row"]) == [np.array([2])]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "no .onnx or .ort file"),
        (b"", "cannot be loaded"),
        (b"<html>not a model</html>", "cannot be loaded"),
    ],
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


@pytest.mark.parametrize(
    ("given", "made", "sentence"),
    [
        (
            TensorProto.BFLOAT16,
            TensorProto.FLOAT,
            r"the input 'x' is a tensor\(bfloat16\), which no request can carry",
        ),
        (
            TensorProto.FLOAT,
            TensorProto.BFLOAT16,
            r"the output 'y' is a tensor\(bfloat16\), which no answer can carry",
        ),
    ],
)
def test_a_model_of_a_type_that_nothing_can_carry_is_refused(
    tmp_path: Path, given: int, made: int, sentence: str
) -> None:
    with pytest.raises(ModelInvalid, match=sentence):
        load("m", "1", saved(onnx_models.cast(given, made), tmp_path / "model.onnx"))


def test_a_warm_up_runs_every_datatype(tmp_path: Path) -> None:
    for name in onnx_models.ELEMENT:
        load("m", "1", saved(onnx_models.identity(name, ["N", 2, None]), tmp_path / f"{name}.onnx")).warm_up()


def test_a_warm_up_that_the_model_fails_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelFailed, match="'m' failed on this input"):
        load("m", "1", saved(onnx_models.never_runs(), tmp_path / "model.onnx")).warm_up()
