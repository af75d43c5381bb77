"""The shipped CRD and its page are what their sources say, small, and say something about each field."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kubernetes.aio.client import models

from crds import generate, page

CRD = yaml.safe_load(generate.TARGET.read_text())
ROOT = page.schema_of(CRD)


def test_the_shipped_crd_is_up_to_date() -> None:
    assert generate.TARGET.read_text() == generate.crd_text(), "run python -m crds.generate"


def test_the_page_is_up_to_date() -> None:
    written = page.PATH.read_text()
    assert written == page.updated(written, CRD), "run python -m crds.generate"


def test_fields_that_are_in_two_places_have_one_table_to_which_the_others_point() -> None:
    written = page.PATH.read_text()
    assert "\n### spec.model\n" in written
    assert "### spec.models[]" not in written
    assert "[The fields of spec.model.](#specmodel)" in written


def test_the_crd_fits_into_an_annotation_of_client_side_apply() -> None:
    assert len(json.dumps(CRD)) < 100_000 < 262_144


def test_each_field_is_described_in_a_sentence() -> None:
    poor = [path for path, field in fields(ROOT) if not field.get("description", "").endswith(".")]
    assert poor == [".metadata"], "the API server allows no description there"


def test_each_rule_says_what_to_do() -> None:
    assert all(len(message.split()) > 5 for message in page.messages(ROOT))


def test_no_field_takes_what_is_not_in_the_schema() -> None:
    assert "x-kubernetes-preserve-unknown-fields" not in generate.TARGET.read_text()


def test_an_object_without_status_is_not_taken_for_a_finished_one() -> None:
    assert ROOT["properties"]["status"]["default"] == {"observedGeneration": -1}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Path of the field. More follows.", "Path of the field."),
        ("Labels, e.g. zone. More follows.", "Labels, e.g. zone."),
        ("Required: resource\nto select", "resource to select."),
        ("In version v1.2 of it.", "In version v1.2 of it."),
    ],
)
def test_descriptions_are_cut_after_their_first_sentence(text: str, sentence: str) -> None:
    assert generate.first_sentence(text) == sentence


def test_what_stands_beside_a_reference_is_merged_over_it() -> None:
    node = {"$from": "V1PodSpec.tolerations", "items": {"properties": {"key": {"minLength": 1}, "value": None}}}
    properties = generate.expanded({"taints": node})["taints"]["items"]["properties"]
    assert properties["key"]["type"] == "string"
    assert properties["key"]["minLength"] == 1
    assert "value" not in properties


def test_completions_name_types_and_fields_that_exist() -> None:
    unknown = [name for name in generate.COMPLETIONS if not exists(*name.split("."))]
    assert unknown == []


def exists(type_name: str, alias: str | None = None) -> bool:
    model = getattr(models, type_name, None)
    return bool(model) and (alias is None or alias in generate.fields_of(model))


def fields(schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
    yield from fields(schema["items"], f"{path}[]") if "items" in schema else ()
