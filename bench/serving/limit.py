"""The limit: what ONNX Runtime itself does with a model, called in a loop by a process that does nothing else.

``python -m bench.serving.limit MODEL.onnx ROW.npy``, in the environment of the server and on its cores, prints a
line of JSON. Rows of one run are the same row repeated, as in the load on the servers.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any

import numpy as np
import onnxruntime as ort

ROWS = (1, 2, 4, 8, 16, 32, 64)
BLOCK_S = 0.02


def main() -> None:
    """Measures, and prints the rate for each number of rows and way to use the threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("row")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each number of rows")
    parser.add_argument("--rows", type=_numbers, default=ROWS)
    args = parser.parse_args()
    row = np.load(args.row, allow_pickle=True)
    ways = {(1, 1), (args.threads, 1), (1, args.threads)}
    rates = [
        {"rows": rows, "side_by_side": runs, "threads": threads, "rate": rate}
        for runs, threads in sorted(ways)
        for session in [_session(args.model, threads)]
        for rows in args.rows
        for rate in [measured(session, np.repeat(row, rows, axis=0), runs, args.seconds)]
    ]
    print(json.dumps(rates))


def measured(session: Any, rows: Any, runs: int, seconds: float) -> float:
    """Rows per second, by so many runs side by side; the median over short blocks, which no hiccup changes."""
    feed = {session.get_inputs()[0].name: rows}
    with ThreadPoolExecutor(runs) as threads:
        return sum(threads.map(_loop, repeat(session, runs), repeat(feed), repeat(seconds))) * len(rows)


def _loop(session: Any, feed: dict[str, Any], seconds: float) -> float:
    run, rates = session.run, []
    run(None, feed)
    end = time.perf_counter() + seconds
    while (block := time.perf_counter()) < end:
        count = 0
        while (elapsed := time.perf_counter() - block) < BLOCK_S:
            run(None, feed)
            count += 1
        rates.append(count / elapsed)
    return statistics.median(rates)


def _session(model: str, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Threads that wait in a loop take the processor from those who work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


if __name__ == "__main__":
    main()
