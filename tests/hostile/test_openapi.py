"""The OpenAPI document against its server: Schemathesis makes requests that fit it and requests that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.support.server_process import ServerProcess, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis.checks import CheckFunction
    from schemathesis.schemas import APIOperation, BaseSchema

EXAMPLES = 100  # for each operation and mode; takes most of a minute


@pytest.fixture(scope="module")
def server(models: list[str]) -> Iterator[ServerProcess]:
    """Serves a few models, none of which fails on anything that fits it."""
    few = [model for model in models if model.startswith(("--model=echo=", "--model=text=", "--model=pair="))]
    with serving(*few, "--max-body=8Mi") as process:
        yield process


@pytest.fixture(scope="module")
def described(server: ServerProcess) -> BaseSchema:
    """What the server says of itself."""
    load_all_checks()
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_operation_answers_as_described(
    described: BaseSchema, mode: GenerationMode, subtests: pytest.Subtests
) -> None:
    for found in described.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        with subtests.test(operation.label):
            attack(operation, mode)


def test_every_example_is_served(server: ServerProcess, subtests: pytest.Subtests) -> None:
    found = list(examples(server.client.get("/openapi.json").json()))
    assert len(found) > 8
    for path, body in found:
        with subtests.test(path):
            assert server.client.post(path, json=body).status_code == 200


def examples(document: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Where each example of a body goes, and the example."""
    for path, operations in document["paths"].items():
        content = operations.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" in content:
            yield path, content["example"]
        for model, example in content.get("examples", {}).items():
            yield f"{path}?model_name={model}", example["value"]


def attack(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode) -> None:
    """Sends requests of this mode to `operation`, and fails with one whose answer is not as described."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case: schemathesis.Case[Any]) -> None:
        # A schema cannot say that data and shape have to agree, so that much of what fits it is refused.
        excluded: list[CheckFunction] = [positive_data_acceptance]
        headers: dict[str, Any] = dict(case.headers or {})
        if str(headers.get("Inference-Header-Content-Length")) == "0":
            # No part of the body is JSON then, so none of it can be wrong.
            excluded.append(negative_data_rejection)
        case.call_and_validate(excluded_checks=excluded)

    try:
        send()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # an operation that takes nothing cannot be given anything wrong
