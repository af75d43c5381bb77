"""The sample models, trained once for all tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def train_into() -> Callable[[Path, int], None]:
    """Runs the training script as a user does, with the hash seed given and, as in a slim image, no locale."""
    return _train


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the training script wrote."""
    folder = tmp_path_factory.mktemp("models")
    _train(folder, 1)
    return folder


def _train(folder: Path, hash_seed: int) -> None:
    settings = {name: value for name, value in os.environ.items() if name != "LANG" and not name.startswith("LC_")}
    command = [sys.executable, "-m", "samples.claims.train", "--to", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, env=settings | {"PYTHONHASHSEED": str(hash_seed)}, timeout=120)
