"""Who asks a server: over HTTP or gRPC, checking the answer or as fast as it can."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.serving import exchanges, wrk
from bench.serving.process import HOST
from local import venvs
from local.shell import run

if TYPE_CHECKING:
    from bench.serving.exchanges import Exchange
    from bench.serving.machine import Cores
    from bench.serving.models import Model
    from bench.serving.wrk import Load

ROOT = Path(__file__).parents[2]
# It brings a gRPC client along.
GRPC_PACKAGES = Path(__file__).with_name("peers") / "mlserver.txt"
# Where the protocol matters at all, and where the model does.
GRPC_MODELS = ("tiny", "claim")


class Client(ABC):
    """Asks one server about one row of one model, in one protocol."""

    @abstractmethod
    def check(self) -> None:
        """Returns if the answer is right. Raises Failure or OSError."""

    @abstractmethod
    def drive(self, connections: int, seconds: int) -> Load:
        """Asks as fast as the server answers. Raises Failure where there is no result."""


@dataclass(frozen=True)
class HttpClient(Client):
    """Asks over HTTP."""

    port: int
    exchange: Exchange
    model: Model
    cores: Cores

    def check(self) -> None:
        """As every client does."""
        exchanges.check(HOST, self.port, self.exchange, self.model.expected)

    def drive(self, connections: int, seconds: int) -> Load:
        """As every client does."""
        return wrk.drive(f"http://{HOST}:{self.port}", self.exchange, connections, seconds, self.cores)


@dataclass(frozen=True)
class GrpcClient(Client):
    """Asks over gRPC, from a process of its own."""

    port: int
    model: Model
    cores: Cores

    def check(self) -> None:
        """As every client does."""
        self.drive(1, 0)

    def drive(self, connections: int, seconds: int) -> Load:
        """As every client does, which includes a check here."""
        load = (venvs.python(GRPC_PACKAGES), "-m", "bench.serving.grpc_load")
        with (
            tempfile.NamedTemporaryFile(suffix=".npy") as row,
            tempfile.NamedTemporaryFile(suffix=".npy") as right,
        ):
            np.save(row.name, self.model.row)
            np.save(right.name, self.model.expected)
            asked = (f"{HOST}:{self.port}", self.model.name, self.model.input, row.name, right.name)
            limits = (str(connections), str(seconds))
            told = run(*self.cores.command, *load, *asked, *limits, env={"PYTHONPATH": str(ROOT)})
        return wrk.parse(told)
