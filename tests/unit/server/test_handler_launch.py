"""Which script is started, where, and with which variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelserver.errors import HandlerInvalid
from modelserver.handlers.launch import entry_script, launch
from tests.support.handlers import script

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_the_script(tmp_path: Path) -> None:
    path = script(tmp_path, "pass", name="any_name.py")
    assert entry_script(path, {"AZUREML_ENTRY_SCRIPT": "other.py"}) == path


def test_of_a_folder_it_is_what_azure_ml_names_or_else_score_or_main(tmp_path: Path) -> None:
    main = script(tmp_path, "pass", name="main.py")
    assert entry_script(tmp_path, {}) == main
    score = script(tmp_path, "pass")
    assert entry_script(tmp_path, {}) == score
    named = script(tmp_path / "src", "pass", name="entry.py")
    assert entry_script(tmp_path, {"AZUREML_ENTRY_SCRIPT": "src/entry.py"}) == named


def test_it_may_be_named_from_the_root_of_the_application(tmp_path: Path) -> None:
    path = script(tmp_path / "src", "pass")
    assert entry_script(path.relative_to(tmp_path), {"AML_APP_ROOT": str(tmp_path)}) == path


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(HandlerInvalid, match=f"there is no handler at {tmp_path}/score.py"):
        entry_script(tmp_path / "score.py", {})
    with pytest.raises(HandlerInvalid, match=r"holds no score\.py or main\.py; name the file, or set AZUREML"):
        entry_script(tmp_path, {})
    with pytest.raises(HandlerInvalid, match=r"holds no entry\.py"):
        entry_script(tmp_path, {"AZUREML_ENTRY_SCRIPT": "entry.py"})


def test_it_gets_azure_mls_variables_beside_those_of_the_server(tmp_path: Path) -> None:
    path, model = script(tmp_path / "code", "pass"), tmp_path / "models" / "m.onnx"
    found = launch(path, [model], 2, None, {"MINE": "1", "OMP_NUM_THREADS": "7"})
    assert found.directory == path.parent
    assert found.environment == {
        "MINE": "1",
        "AML_APP_ROOT": str(path.parent),
        "AZUREML_ENTRY_SCRIPT": str(path),
        "AZUREML_MODEL_DIR": str(model.parent),
        "OMP_NUM_THREADS": "7",
        "OPENBLAS_NUM_THREADS": "2",
        "MKL_NUM_THREADS": "2",
    }


def test_several_models_are_below_one_folder(tmp_path: Path) -> None:
    path = script(tmp_path, "pass")
    for model in (tmp_path / "models" / "a" / "1", tmp_path / "models" / "b"):
        model.mkdir(parents=True)
    found = launch(path, [tmp_path / "models" / "a" / "1", tmp_path / "models" / "b"], 1, None, {})
    assert found.environment["AZUREML_MODEL_DIR"] == str(tmp_path / "models")


def test_a_folder_that_the_user_names_is_kept(tmp_path: Path) -> None:
    path = script(tmp_path, "pass")
    found = launch(path, [tmp_path], 1, None, {"AZUREML_MODEL_DIR": "/mine"})
    assert found.environment["AZUREML_MODEL_DIR"] == "/mine"
    assert "AZUREML_MODEL_DIR" not in launch(path, [], 1, None, {}).environment
