"""What a server does not load unless somebody asks for it: each of these costs time at the start, and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.support.server_process import SERVER

ON_DEMAND = {"aiohttp", "jwt", "modelserver.smoke", "obstore", "opentelemetry", "requests", "yaml"}


def test_a_server_without_options_loads_none_of_them() -> None:
    program = "import json, sys, modelserver.server; print(json.dumps(list(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(SERVER)}
    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True
    ).stdout
    assert ON_DEMAND & set(json.loads(printed)) == set()
