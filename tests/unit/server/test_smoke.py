"""Asking golden samples comes to an end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from modelserver.app import App
from modelserver.errors import SmokeFailed
from modelserver.models.repository import Models
from modelserver.observe.metrics import Metrics
from modelserver.scheduling.probe import probe
from modelserver.scheduling.scheduler import Scheduler
from modelserver.service import InferenceService
from modelserver.smoke.smoke import Smoke
from tests.support import onnx_models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import onnx

    from modelserver.models.model import Model

INPUT = {"name": "turns", "datatype": "INT64", "shape": [1], "data": [300]}
SAMPLE = {"request": {"inputs": [INPUT]}, "response": {}}


async def test_what_all_samples_take_together_has_an_end(
    loaded: Callable[[onnx.ModelProto], Model], tmp_path: Path
) -> None:
    model, metrics = loaded(onnx_models.slow()), Metrics()
    models, scheduler = Models([("m", "1")]), Scheduler(1, metrics, 30)
    scheduler.add(model, probe(model, tmp_path))
    models.add(model)
    app = App(InferenceService(models, scheduler, metrics), 2**20)
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples/slow.json").write_text(json.dumps([SAMPLE, SAMPLE]))
    await Smoke(tmp_path / "samples", app, models).check()
    with pytest.raises(SmokeFailed) as caught:
        await Smoke(tmp_path / "samples", app, models, deadline_s=0.01).check()
    late = "it was not answered within the 0.01 s that all samples have together."
    assert str(caught.value) == (
        f"2 of 2 golden samples failed. The sample [0] of slow.json: {late} The sample [1] of slow.json: {late}"
    )
    scheduler.close()
