"""Finds out at load time whether requests can share runs of a model, and how many rows are best.

A free first axis alone proves nothing: a model may normalise over it, rank along it, or be slower with more rows.
So rows that give different results are run alone, together, and together in another order: no result may change.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelserver.errors import ModelFailed
from modelserver.models.files import model_file
from modelserver.scheduling.batch import can_share_rows, measured, same
from modelserver.scheduling.costs import Costs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from modelserver.models.datatypes import Array
    from modelserver.models.model import Model
    from modelserver.models.signature import TensorSpec
    from modelserver.scheduling.batch import Values

    Feed = dict[str, Array]

DISTINCT_ROWS = 4
SIZES = (2, 4, 8, 16, 32, 64)
# With a gain below this, waiting for each other would only make answers depend on strangers.
WORTH = 0.9
# Within this of the best, the smaller batch wins: its answers come sooner.
NEARLY = 1.05
BUDGET_S = 0.15
ROUNDS = 3
RANGES = (100, 10, 2)
WORD = re.compile(rb"[a-z]{3,12}")
WORDS_FROM_BYTES = 2**20
# How the operator of a node is written in a model's file: field 4 of a node, its length, its name. ONNX Runtime's
# own format writes the name behind its length in four bytes.
LOOPS = tuple(size + name for name in (b"Loop", b"Scan") for size in (b'"\x04', b"\x04\0\0\0"))
LARGE_BYTES = 2**25  # a run of a model of 32 MiB is not short anyway


@dataclass(frozen=True, slots=True)
class Findings:
    """What the scheduler has to know of a model.

    `max_rows` is how many rows a run should have at most: 1 where sharing is not proved right, or does not pay.
    A model is `steady` when what a run takes depends on the size of its input only, not on its values.
    """

    max_rows: int
    costs: Costs
    steady: bool


def probe(model: Model, path: Path) -> Findings:
    """Takes about 0.2 s at most, or a few runs of a model that is slower."""
    costs = Costs()
    return Findings(_best_rows(model, path, costs), costs, _is_steady(path))


def _best_rows(model: Model, path: Path, costs: Costs) -> int:
    if not can_share_rows(model.signature):
        return 1
    deadline = time.perf_counter() + BUDGET_S
    found = next(_telling(model, path), None)
    if not found:
        return 1
    rows, alone = found
    per_row = {1: _seconds(model, _taken(rows, [0]), costs)}
    for size in SIZES:
        if time.perf_counter() + 2 * size * per_row[1] > deadline or not _agree(model, rows, alone, size):
            break
        per_row[size] = _seconds(model, _taken(rows, _order(size)), costs) / size
    best = min(per_row.values())
    if best > WORTH * per_row[1]:
        return 1
    return min(size for size, seconds in per_row.items() if seconds <= NEARLY * best)


def _telling(model: Model, path: Path) -> Iterator[tuple[Feed, list[Values]]]:
    """Rows that the model accepts and that do not all give the same, with what each gives."""
    for rows in _made_up(model, path):
        try:
            alone = [_run(model, _taken(rows, [index])) for index in range(DISTINCT_ROWS)]
            again = _run(model, _taken(rows, [0]))
        except ModelFailed:
            continue
        if _all_same(alone[0], again) and not all(_all_same(alone[0], other) for other in alone[1:]):
            yield rows, alone


def _agree(model: Model, rows: Feed, alone: list[Values], size: int) -> bool:
    """Whether `size` rows together, in two orders, give what each gives alone."""
    for order in (_order(size), _order(size)[::-1]):
        try:
            together = _run(model, _taken(rows, order))
        except ModelFailed:
            return False
        for output, value in enumerate(together):
            expected = np.concatenate([np.asarray(alone[index][output]) for index in order])
            if not same(value, expected):
                return False
    return True


def _order(size: int) -> list[int]:
    return [index % DISTINCT_ROWS for index in range(size)]


def _all_same(one: Values, other: Values) -> bool:
    return all(map(same, one, other))


def _taken(rows: Feed, indices: Sequence[int]) -> Feed:
    return {name: array[indices] for name, array in rows.items()}


def _run(model: Model, feed: Feed) -> Values:
    return model.run(feed, model.signature.all_outputs)


def _seconds(model: Model, feed: Feed, costs: Costs) -> float:
    """The shortest of a few runs: whatever else the machine does can only make one longer."""
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        _run(model, feed)
        taken.append(time.perf_counter() - started)
    costs.learn(measured(feed)[1], min(taken))
    return min(taken)


def _made_up(model: Model, path: Path) -> Iterator[Feed]:
    """Inputs of DISTINCT_ROWS rows, from the likeliest to mean something to a model to the safest."""
    random = np.random.default_rng(1)
    words = _words(path) if any(spec.datatype.is_text for spec in model.signature.inputs) else []
    for limit in (None, *RANGES):
        yield {spec.name: _values(spec, random, limit, words) for spec in model.signature.inputs}


def _values(spec: TensorSpec, random: np.random.Generator, limit: int | None, words: list[str]) -> Array:
    shape = (DISTINCT_ROWS, *(1 if size < 0 else size for size in (spec.shape or ())[1:]))
    if spec.datatype.is_text:
        texts = [" ".join(random.choice(words, 8)) for _ in range(int(np.prod(shape)))]
        return np.array(texts, dtype=object).reshape(shape)
    if limit is None and spec.datatype.is_float:
        return random.standard_normal(shape).astype(spec.datatype.dtype)
    return random.integers(0, limit or RANGES[0], shape).astype(spec.datatype.dtype)


def _is_steady(path: Path) -> bool:
    """Whether the model has no loops, whose number of rounds may be in its input. In a large file nobody looks."""
    file = model_file(path)
    if file.stat().st_size > LARGE_BYTES:
        return False
    content = file.read_bytes()
    return not any(operator in content for operator in LOOPS)


def _words(path: Path) -> list[str]:
    """Words that the model may know, since they stand in its file, as the vocabulary of a text model does."""
    with model_file(path).open("rb") as file:
        found = sorted(set(WORD.findall(file.read(WORDS_FROM_BYTES))))
    return [word.decode() for word in found] or ["text"]
