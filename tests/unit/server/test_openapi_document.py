"""What the OpenAPI document says in the cases that a running server with small models does not show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelserver.models.model import Model, load
from modelserver.openapi.document import document
from modelserver.protocols.tensors import dumps, loads
from tests.support import onnx_models
from tests.support.onnx_models import saved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import onnx

    Loaded = Callable[[onnx.ModelProto], Model]


def described(*models: Model, secured: bool = False, has_handler: bool = False) -> dict[str, Any]:
    return loads(dumps(document(models, secured=secured, has_handler=has_handler)))


def request_of(found: dict[str, Any], path: str) -> dict[str, Any]:
    content: dict[str, Any] = found["paths"][path]["post"]["requestBody"]["content"]
    return content


def test_a_request_is_described_by_names_datatypes_and_ranks(loaded: Loaded) -> None:
    content = request_of(described(loaded(onnx_models.divide(["N", 3]))), "/v2/models/m/infer")["application/json"]
    tensors = content["schema"]["properties"]["inputs"]["items"]["anyOf"]
    assert [tensor["properties"]["name"]["enum"] for tensor in tensors] == [["a"], ["b"]]
    shape = tensors[0]["properties"]["shape"]
    assert (shape["minItems"], shape["maxItems"], shape["description"]) == (2, 2, "[-1, 3]")
    assert tensors[0]["properties"]["datatype"] == {"type": "string", "enum": ["FP32"]}
    assert [tensor["data"] for tensor in content["example"]["inputs"]] == [[0, 0, 0], [0, 0, 0]]


def test_without_a_version_the_last_one_is_described(tmp_path: Path) -> None:
    texts = load("m", "1", saved(onnx_models.identity("BYTES", ["N"]), tmp_path / "texts.onnx"))
    floats = load("m", "2", saved(onnx_models.identity("FP32", ["N"]), tmp_path / "floats.onnx"))
    found = described(texts, floats)
    assert found["paths"]["/v2/models/m/infer"] == found["paths"]["/v2/models/m/versions/2/infer"]
    assert found["paths"]["/v2/models/m/infer"] != found["paths"]["/v2/models/m/versions/1/infer"]


def test_an_example_that_nobody_would_read_is_left_out(loaded: Loaded) -> None:
    found = described(loaded(onnx_models.identity("FP32", ["N", 3, 224, 224])))
    assert "example" not in request_of(found, "/v2/models/m/infer")["application/json"]
    assert "examples" not in request_of(found, "/score")["application/json"]


def test_all_but_the_probes_and_the_scrape_asks_for_a_key_where_keys_are_asked_for(loaded: Loaded) -> None:
    model = loaded(onnx_models.double(["N"]))
    found = described(model, secured=True)
    assert found["security"] == [{"token": []}, {"key": []}]
    is_open = {path for path, methods in found["paths"].items() if methods.get("get", {}).get("security") == []}
    assert {"/", "/metrics", "/v2/health/ready", "/v2/models/{name}/ready"} <= is_open
    assert is_open.isdisjoint({"/score", "/v2", "/v2/models/{name}", "/v2/models/m/infer"})
    for path in ("/score", "/v2/models/m/infer"):
        assert "401" in found["paths"][path]["post"]["responses"]
    assert "securitySchemes" not in described(model)["components"]


def test_a_handler_takes_and_gives_what_it_likes() -> None:
    found = described(has_handler=True)
    assert request_of(found, "/score") == {"*/*": {"schema": {}}}
    assert "default" in found["paths"]["/score"]["post"]["responses"]
    assert "get" not in found["paths"]["/score"]


def test_beside_a_handler_models_are_asked_by_name(loaded: Loaded) -> None:
    post = described(loaded(onnx_models.double(["N"])), has_handler=True)["paths"]["/score"]["post"]
    assert [parameter["name"] for parameter in post["parameters"]] == ["model_name"]
    assert post["requestBody"]["content"]["*/*"]["examples"] == {"m": {"value": {"data": [0]}}}


@pytest.mark.parametrize("secured", [False, True])
def test_every_reference_leads_somewhere(loaded: Loaded, secured: bool) -> None:
    found = described(loaded(onnx_models.divide(["N"])), secured=secured)

    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if "$ref" in node else []
            return own + [one for value in node.values() for one in references(value)]
        return [one for item in node for one in references(item)] if isinstance(node, list) else []

    for reference in references(found):
        target: Any = found
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        assert target
