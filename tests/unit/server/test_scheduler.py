"""When, where and with which others inferences run."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelserver.errors import ModelFailed, Unavailable
from modelserver.live.settings import Batching, BatchLimits
from modelserver.models.model import Model, load
from modelserver.observe.metrics import Metrics
from modelserver.scheduling.costs import Costs
from modelserver.scheduling.probe import Findings, probe
from modelserver.scheduling.scheduler import Scheduler
from tests.support import onnx_models
from tests.support.onnx_models import saved
from tests.support.until import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import onnx

    from modelserver.observe.metrics import ModelMeter

Feed = dict[str, np.ndarray[Any, np.dtype[Any]]]


class Stage:
    """A scheduler with the models that a test gives it."""

    def __init__(self, folder: Path, workers: int, limit_s: float) -> None:
        self.metrics = Metrics()
        self.scheduler = Scheduler(workers, self.metrics, limit_s)
        self._folder = folder

    def add(self, graph: onnx.ModelProto, name: str = "m", max_rows: int | None = None, **found: Any) -> Model:
        path = saved(graph, self._folder / name / "model.onnx")
        model = load(name, "1", path)
        findings = probe(model, path) if max_rows is None else Findings(max_rows, Costs(), steady=False)
        self.scheduler.add(model, findings)
        return model

    def run(self, model: Model, feed: Feed, *outputs: str) -> asyncio.Task[list[object]]:
        return asyncio.ensure_future(self.scheduler.run(model, feed, outputs or model.signature.all_outputs))

    def runs(self, name: str = "m") -> int:
        return self.metrics.model(name, "1").run_seconds.count


@asynccontextmanager
async def stage(folder: Path, workers: int = 1, limit_s: float = 30) -> AsyncIterator[Stage]:
    found = Stage(folder, workers, limit_s)
    yield found
    found.scheduler.close()


def row(*values: float) -> Feed:
    return {"x": np.array([values], np.float32)}


def turns(count: int) -> Feed:
    return {"turns": np.array([count], np.int64)}


async def taken(meter: ModelMeter, jobs: int) -> None:
    """Waits until so many jobs have left the queue."""
    async with asyncio.timeout(5):
        while meter.queue_seconds.count < jobs:
            await asyncio.sleep(0)


@pytest.mark.parametrize("max_rows", [None, 64], ids=["in the loop's thread", "in a worker"])
async def test_requests_of_the_same_turn_share_a_run_and_each_gets_its_own(
    tmp_path: Path, max_rows: int | None
) -> None:
    async with stage(tmp_path) as here:
        model = here.add(onnx_models.double(["N", 2]), max_rows=max_rows)
        tasks = [here.run(model, row(number, -number)) for number in range(8)]
        for number, task in enumerate(tasks):
            (result,) = await task
            np.testing.assert_array_equal(result, [[2 * number, -2 * number]])
        assert here.runs() == 1
        assert here.metrics.model("m", "1").rows.total == 8


async def test_a_model_that_may_not_share_runs_once_for_each_request(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        model = here.add(onnx_models.softmax_over_rows())
        results = await asyncio.gather(*(here.run(model, row(1, 2)) for _ in range(4)))
        assert here.runs() == 4
        assert all(result[0] == [[1, 1]] for result in np.asarray(results).tolist())


async def test_requests_of_different_shapes_or_outputs_do_not_mix(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        model = here.add(onnx_models.two_outputs(), max_rows=64)
        free = here.add(onnx_models.double(["N", "M"]), "free", max_rows=64)
        both, one = here.run(model, row(1, 2)), here.run(model, row(3, 4), "total")
        narrow, wide = here.run(free, row(1)), here.run(free, row(1, 2, 3))
        assert (len(await both), len(await one)) == (2, 1)
        assert [np.asarray((await task)[0]).shape for task in (narrow, wide)] == [(1, 1), (1, 3)]
        assert (here.runs(), here.runs("free")) == (2, 2)


async def test_a_request_that_fails_harms_none_of_those_it_shared_a_run_with(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        model = here.add(onnx_models.lookup(100), max_rows=64)
        tasks = [here.run(model, {"index": np.array([index], np.int64)}) for index in (1, 1000, 2)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[1], ModelFailed)
        assert [results[0], results[2]] == [[[1]], [[2]]]
        assert here.metrics.model("m", "1").in_flight == 0


async def test_requests_with_several_rows_share_up_to_the_limit(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        model = here.add(onnx_models.double(["N", 2]), max_rows=8)
        sizes = [3, 3, 3, 0, 20, 1]
        tasks = [here.run(model, {"x": np.full((size, 2), size, np.float32)}) for size in sizes]
        for size, task in zip(sizes, tasks, strict=True):
            (result,) = await task
            np.testing.assert_array_equal(result, np.full((size, 2), 2 * size))
        assert here.runs() == 5  # 3+3, 3, 0, 20, 1


async def test_a_request_that_is_alone_waits_for_nobody(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        model = here.add(onnx_models.double(["N", 2]))
        task = here.run(model, row(1, 2))
        for _ in range(3):  # the task's start, the turn, the task's end
            await asyncio.sleep(0)
        assert task.done()


async def test_while_a_model_is_busy_requests_for_it_gather_and_others_are_served(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        busy = here.add(onnx_models.slow(), "busy", max_rows=1)
        quick = here.add(onnx_models.double(["N", 2]), "quick")
        long = here.run(busy, turns(300))
        waiting = [here.run(busy, turns(1)) for _ in range(20)]
        await here.run(quick, row(1, 2))
        assert not long.done()
        await asyncio.gather(long, *waiting)


async def test_only_full_runs_are_put_in_line_for_a_busy_worker(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        model = here.add(onnx_models.slow(), max_rows=1)
        meter = here.metrics.model("m", "1")
        tasks = [here.run(model, turns(3000)) for _ in range(5)]
        await taken(meter, 1 + 1)
        assert meter.queue_seconds.count == 2
        await asyncio.gather(*tasks)
    async with stage(tmp_path) as here:
        busy = here.add(onnx_models.slow(), "busy", max_rows=1)
        model = here.add(onnx_models.double(["N", 2]), max_rows=4)
        long = here.run(busy, turns(3000))
        tasks = [here.run(model, row(1, 2)) for _ in range(4 + 3)]
        await taken(here.metrics.model("m", "1"), 4)
        assert not long.done()
        await asyncio.gather(long, *tasks)
        assert here.runs() == 2


async def test_a_run_in_line_behind_one_that_hangs_is_given_up_with_it(tmp_path: Path) -> None:
    async with stage(tmp_path, limit_s=0.1) as here:
        model = here.add(onnx_models.slow(), max_rows=1)
        tasks = [here.run(model, turns(1_000_000)) for _ in range(2)]
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, Unavailable)
        assert await here.run(model, turns(1))


async def test_models_take_turns(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        one = here.add(onnx_models.slow(), "one", max_rows=1)
        other = here.add(onnx_models.slow(), "other", max_rows=1)
        first = [here.run(one, turns(5)) for _ in range(20)]
        second = here.run(other, turns(5))
        await second
        assert sum(task.done() for task in first) <= 3
        await asyncio.gather(*first)


async def test_too_many_waiting_requests_are_told_to_come_again(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        model = here.add(onnx_models.slow(), max_rows=1)
        tasks = [here.run(model, turns(1)) for _ in range(1002)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        refused = [result for result in results if isinstance(result, Unavailable)]
        assert len(refused) == 2
        assert "1000 requests already wait" in str(refused[0])


async def test_a_run_that_takes_too_long_is_given_up_and_its_worker_is_free_again(tmp_path: Path) -> None:
    async with stage(tmp_path, limit_s=0.1) as here:
        model = here.add(onnx_models.slow(), max_rows=1)
        with pytest.raises(Unavailable, match=r"no answer within 0\.1 s"):
            await here.run(model, turns(1_000_000))
        assert await here.run(model, turns(1))


async def test_what_waits_for_a_model_that_is_removed_is_still_run(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        model = here.add(onnx_models.slow(), max_rows=1)
        tasks = [here.run(model, turns(1)) for _ in range(3)]
        await asyncio.sleep(0)
        here.scheduler.remove(model)
        assert len(await asyncio.gather(*tasks)) == 3


async def test_limits_that_are_set_later_count_from_then_on(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        model = here.add(onnx_models.double(["N", 2]), max_rows=64)
        here.scheduler.limit(Batching(models={"m": BatchLimits(max_rows=2)}))
        await asyncio.gather(*(here.run(model, row(1, 2)) for _ in range(8)))
        assert here.runs() == 4
        here.scheduler.limit(Batching(enabled=False))
        await asyncio.gather(*(here.run(model, row(1, 2)) for _ in range(8)))
        assert here.runs() == 12
        here.scheduler.limit(Batching(max_queue=3))
        results = await asyncio.gather(*(here.run(model, row(1, 2)) for _ in range(8)), return_exceptions=True)
        assert sum(isinstance(result, Unavailable) for result in results) == 5


async def test_what_was_not_proved_can_be_asked_for_where_shapes_allow_it(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        unproved = here.add(onnx_models.constant(), "unproved")
        scalar = here.add(onnx_models.rows_and_a_scalar(), "scalar")
        here.scheduler.limit(Batching(enabled=True))
        await asyncio.gather(*(here.run(unproved, row(1, 2)) for _ in range(8)))
        await asyncio.gather(*(here.run(scalar, {"x": np.ones(1, np.float32)}) for _ in range(8)))
        assert (here.runs("unproved"), here.runs("scalar")) == (1, 8)


async def test_requests_from_before_a_change_of_limits_keep_to_those_of_their_time(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        model = here.add(onnx_models.double(["N", 2]), max_rows=1)
        tasks = [here.run(model, {"x": np.full((3, 2), number, np.float32)}) for number in range(4)]
        await asyncio.sleep(0)
        here.scheduler.limit(Batching(enabled=True))
        for number, task in enumerate(tasks):
            assert np.asarray((await task)[0]).tolist() == [[2 * number] * 2] * 3


async def test_a_request_that_has_waited_too_long_is_not_run_in_vain(tmp_path: Path) -> None:
    async with stage(tmp_path, limit_s=0.3) as here:
        model = here.add(onnx_models.slow(), max_rows=1)
        tasks = [here.run(model, turns(1000)) for _ in range(20)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        late = [result for result in results if isinstance(result, Unavailable)]
        assert any("too much to do" in str(error) for error in late)
        assert here.runs() < 20
        # One that was given up while it ran is in flight until its run is over.
        await until(lambda: here.metrics.model("m", "1").in_flight == 0)
