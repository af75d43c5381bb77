"""`/swagger.json` where there is no handler, and where the user brings a document of his own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from modelserver.handlers.swagger import Service, answer, document
from modelserver.models.model import load
from tests.support import onnx_models
from tests.support.onnx_models import saved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import onnx

    from modelserver.models.model import Model

INTERFACE = {"input": {"type": "object"}, "output": {"type": "string"}}


def answered(models: list[Model], version: str) -> Any:
    return json.loads(answer(models, version).body)


def test_a_model_with_one_input_takes_its_rows(loaded: Callable[[onnx.ModelProto], Model]) -> None:
    found = answered([loaded(onnx_models.double(["N", 2]))], "2")["definitions"]
    rows = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
    assert found["ServiceInput"] == {
        "type": "object",
        "properties": {"data": rows},
        "example": {"data": [[0.0, 0.0]]},
    }
    assert found["ServiceOutput"]["properties"]["results"]["type"] == "array"


def test_a_model_with_several_inputs_takes_columns(loaded: Callable[[onnx.ModelProto], Model]) -> None:
    schemas = answered([loaded(onnx_models.divide(["N"]))], "3")["components"]["schemas"]
    column = {"type": "array", "items": {"type": "number"}}
    assert schemas["ServiceInput"]["properties"]["data"]["properties"] == {"a": column, "b": column}


def test_of_several_models_it_says_what_is_true_of_all(tmp_path: Path) -> None:
    path = saved(onnx_models.double(["N"]), tmp_path / "m.onnx")
    models = [load(name, "1", path) for name in "ab"]
    assert answered(models, "2")["definitions"]["ServiceInput"] == {"type": "object"}


def test_a_version_that_there_is_not_is_refused(loaded: Callable[[onnx.ModelProto], Model]) -> None:
    refused = answer([loaded(onnx_models.double(["N"]))], "1")
    assert refused.status == 404
    assert "Supported versions: [2, 3, 3.1]" in json.loads(refused.body)["message"]


def test_the_names_are_those_of_azure_mls_variables() -> None:
    service = Service.of({"SERVICE_NAME": "claims", "SERVICE_VERSION": "7", "SERVICE_PATH_PREFIX": "api/v1/"})
    found = document(service, INTERFACE, "3")
    assert (found["info"]["title"], found["info"]["version"]) == ("claims", "7")
    assert list(found["paths"]) == ["/api/v1/", "/api/v1/score", "/api/v1/swagger.json"]


@pytest.mark.parametrize(("file", "asked"), [("swagger2.json", "2"), ("swagger3.json", "3.0")])
def test_a_document_beside_the_script_takes_the_place_of_ours(tmp_path: Path, file: str, asked: str) -> None:
    (tmp_path / file).write_text('{"own": true}')
    assert document(Service.of({}, tmp_path), INTERFACE, asked) == {"own": True}
    assert "own" not in document(Service.of({}, tmp_path), INTERFACE, "3.1")
