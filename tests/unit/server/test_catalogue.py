"""What is found in a folder of models, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelserver.errors import ModelInvalid, ModelNotFound
from modelserver.models.catalogue import Catalogue
from modelserver.settings.options import ModelSource


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def versions(folder: Path, name: str) -> list[str]:
    return [source.version for source in Catalogue((), folder).versions(name)]


def test_numbers_are_sorted_as_numbers_behind_words(tmp_path: Path) -> None:
    names = ["10", "9", "2024-05", "beta", "0011"]
    touched(tmp_path, *(f"m/{name}/model.onnx" for name in names))
    assert versions(tmp_path, "m") == ["2024-05", "beta", "9", "10", "0011"]


def test_a_model_without_version_folders_is_version_1_with_all_that_lies_beside_it(tmp_path: Path) -> None:
    touched(tmp_path, "m/model.ort", "m/weights/w.bin")
    assert Catalogue((), tmp_path).versions("m") == [ModelSource("m", "1", tmp_path / "m")]


def test_what_is_no_model_is_no_version(tmp_path: Path) -> None:
    touched(tmp_path, "m/1/model.onnx", "m/config.pbtxt", "m/labels/labels.txt", ".hidden/1/model.onnx")
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "readme.md").touch()
    assert Catalogue((), tmp_path).names() == ["m"]
    assert versions(tmp_path, "m") == ["1"]


def test_what_was_named_comes_behind_what_is_in_the_folder(tmp_path: Path) -> None:
    given = (ModelSource("z", "1", Path("/z")), ModelSource("m", "a", Path("/a")))
    catalogue = Catalogue(given, touched(tmp_path, "m/1/model.onnx", "n/1/model.onnx"))
    assert catalogue.names() == ["m", "n", "z"]
    assert [(source.name, source.version) for source in catalogue.everything()] == [
        ("m", "1"),
        ("m", "a"),
        ("n", "1"),
        ("z", "1"),
    ]


def test_a_version_in_two_places_is_refused(tmp_path: Path) -> None:
    catalogue = Catalogue((ModelSource("m", "1", Path("/m")),), touched(tmp_path, "m/1/model.onnx"))
    with pytest.raises(ModelInvalid, match=r"m:1 was given by name, and is in .* as well"):
        catalogue.everything()


def test_a_folder_without_models_says_what_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match=r"holds no models; they should be .*/NAME/VERSION/model.onnx"):
        Catalogue((), touched(tmp_path, "model.onnx")).everything()
    with pytest.raises(ModelInvalid, match=r"m holds no model; it should be .*m/1/model.onnx"):
        Catalogue((), touched(tmp_path, "m/deeper/1/model.onnx")).everything()
    with pytest.raises(ModelInvalid, match="cannot be read: No such file"):
        Catalogue((), tmp_path / "none").everything()


@pytest.mark.parametrize("name", ["z", "..", "../m", "m/1", "", "."])
def test_a_name_that_is_no_folder_there_is_not_found(tmp_path: Path, name: str) -> None:
    touched(tmp_path, "folder/m/1/model.onnx", "m/1/model.onnx")
    with pytest.raises(ModelNotFound, match=r"there is no model '"):
        Catalogue((), tmp_path / "folder").versions(name)
