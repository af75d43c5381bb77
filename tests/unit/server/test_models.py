"""Models are found by name and version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelserver.errors import BadRequest, ModelNotFound, Unavailable
from modelserver.models.repository import Models
from tests.support import onnx_models

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx

    from modelserver.models.model import Model


@pytest.fixture
def model(loaded: Callable[[onnx.ModelProto], Model]) -> Model:
    return loaded(onnx_models.double(["N"]))


def test_a_request_without_version_gets_the_one_given_last(model: Model) -> None:
    models = Models([("m", "2"), ("m", "1")])
    models.add(model)
    assert models.find("m") is models.find("m", "1") is models.only() is model
    assert models.versions("m") == ["2", "1"]


def test_a_model_that_is_still_loading_is_unavailable_and_makes_the_rest_wait(model: Model) -> None:
    models = Models([("m", "1"), ("other", "1")])
    models.add(model)
    assert not models.ready
    assert models.find("m") is model
    with pytest.raises(Unavailable, match="still loading"):
        models.find("other")


def test_an_unknown_name_or_version_is_answered_with_those_there_are() -> None:
    models = Models([("m", "1"), ("m", "2"), ("other", "1")])
    with pytest.raises(ModelNotFound, match="no model 'z' here; there is 'm', 'other'"):
        models.find("z")
    with pytest.raises(ModelNotFound, match="no version '3' here; it has 1, 2"):
        models.find("m", "3")


def test_a_request_that_names_no_model_must_do_so_when_there_are_several() -> None:
    with pytest.raises(BadRequest, match=r"\?model_name=NAME; there is 'm', 'other'"):
        Models([("m", "1"), ("other", "1")]).only()
