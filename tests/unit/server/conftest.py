"""Real models for the tests of the server's core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import uvloop

from modelserver.models.model import Model, load
from tests.support.onnx_models import saved

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import onnx


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The server's sockets are tested on the loop that it runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[onnx.ModelProto], Model]:
    """Makes a served model, called `m` in version 1, of an ONNX graph."""
    return lambda graph: load("m", "1", saved(graph, tmp_path / "model.onnx"))
