"""Models are found by name and version, while they come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelserver.errors import BadRequest, ModelNotFound, Unavailable
from modelserver.models.model import Model, load
from modelserver.models.repository import Models, State
from tests.support import onnx_models
from tests.support.onnx_models import saved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Made = Callable[[str, str], Model]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    path = saved(onnx_models.double(["N"]), tmp_path / "m.onnx")
    return lambda name, version: load(name, version, path)


def test_a_request_without_version_gets_the_one_given_last(made: Made) -> None:
    models = Models([("m", "2"), ("m", "1")])
    models.add(made("m", "2"))
    model = made("m", "1")
    models.add(model)
    assert models.find("m") is models.find("m", "1") is models.only() is model
    assert models.versions("m") == ["2", "1"]


def test_a_model_that_is_still_loading_is_unavailable_and_makes_the_rest_wait(made: Made) -> None:
    models = Models([("m", "1"), ("other", "1")])
    models.add(made("m", "1"))
    assert not models.ready
    assert models.find("m").name == "m"
    with pytest.raises(Unavailable, match="still loading"):
        models.find("other")
    models.add(made("other", "1"))
    assert models.ready


def test_no_older_version_stands_in_for_one_that_is_expected_at_the_start(made: Made) -> None:
    models = Models([("m", "1"), ("m", "2")])
    models.add(made("m", "1"))
    assert models.find("m", "1").version == "1"
    with pytest.raises(Unavailable, match="still loading"):
        models.find("m")


def test_an_unknown_name_or_version_is_answered_with_those_there_are() -> None:
    models = Models([("m", "1"), ("m", "2"), ("other", "1")])
    with pytest.raises(ModelNotFound, match="no model 'z' here; there is 'm', 'other'"):
        models.find("z")
    with pytest.raises(ModelNotFound, match="no version '3' here; it has 1, 2"):
        models.find("m", "3")


def test_a_request_that_names_no_model_must_do_so_when_there_are_several() -> None:
    with pytest.raises(BadRequest, match=r"\?model_name=NAME; there is 'm', 'other'"):
        Models([("m", "1"), ("other", "1")]).only()


def test_a_server_without_models_is_ready_and_has_none() -> None:
    models = Models([])
    assert models.ready
    with pytest.raises(ModelNotFound, match="no model here"):
        models.only()
    with pytest.raises(ModelNotFound, match="no model 'm' here; there is none"):
        models.find("m")


# At run time


def test_a_version_that_loads_or_fails_at_run_time_leaves_the_one_before_it_in_service(made: Made) -> None:
    models = Models([("m", "1")])
    models.add(made("m", "1"))
    models.arrange("m", ["1", "2"], "it was not loaded yet")
    models.loading("m", "2")
    assert models.ready
    assert models.find("m").version == "1"
    with pytest.raises(Unavailable, match="still loading"):
        models.find("m", "2")
    models.remove("m", "2", "it is broken")
    assert models.find("m").version == "1"
    with pytest.raises(ModelNotFound, match="'m' is not loaded: it is broken"):
        models.find("m", "2")


def test_a_new_version_takes_over_and_goes_again(made: Made) -> None:
    models = Models([("m", "1")])
    models.add(made("m", "1"))
    assert models.find("m").version == "1"
    models.add(made("m", "2"))
    assert models.find("m").version == "2"
    models.remove("m", "2", "it was unloaded")
    assert models.find("m").version == "1"
    models.remove("m", "1", "it was unloaded")
    with pytest.raises(ModelNotFound, match="'m' is not loaded: it was unloaded"):
        models.find("m")
    assert models.ready
    assert list(models) == []


def test_a_model_that_is_loaded_again_replaces_itself_while_it_is_served(made: Made) -> None:
    models = Models([("m", "1")])
    first, second = made("m", "1"), made("m", "1")
    assert models.add(first) is None
    models.loading("m", "1")
    assert models.find("m") is first
    assert [entry.state for entry in models.entries()] == [State.READY]
    assert models.add(second) is first
    assert models.find("m") is second


def test_versions_are_put_in_order_behind_those_of_another_source(made: Made) -> None:
    models = Models([("m", "b"), ("m", "2")])
    models.add(made("m", "b"))
    models.add(made("m", "2"))
    models.arrange("m", ["1", "2"], "it was not loaded yet")
    models.add(made("m", "1"))
    assert models.versions("m") == ["b", "1", "2"]
    assert models.find("m").version == "2"


def test_what_was_unloaded_is_not_offered_to_who_names_another(made: Made) -> None:
    models = Models([("m", "1"), ("other", "1")])
    models.add(made("m", "1"))
    models.add(made("other", "1"))
    models.remove("other", "1", "it was unloaded")
    assert models.only().name == "m"
    with pytest.raises(ModelNotFound, match=r"there is 'm'$"):
        models.find("z")
