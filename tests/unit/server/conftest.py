"""Real models for the tests of the server's core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelserver.model import Model, load
from tests.support.onnx_models import saved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import onnx


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[onnx.ModelProto], Model]:
    """Makes a served model, called `m` in version 1, of an ONNX graph."""
    return lambda graph: load("m", "1", saved(graph, tmp_path / "model.onnx"))
