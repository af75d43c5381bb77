"""What an operator pays for Azure that has nothing to ask there: nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

OPERATOR = Path(__file__).parents[3] / "operator"
PROGRAM = """
import importlib, pkgutil, sys
import modelfleet.aml
for module in pkgutil.iter_modules(modelfleet.aml.__path__, "modelfleet.aml."):
    importlib.import_module(module.name)
print(*sorted(name for name in sys.modules if name == "azure" or name.startswith(("azure.", "msal"))))
"""


def test_nothing_of_azure_is_imported_before_the_first_question() -> None:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env={"PYTHONPATH": str(OPERATOR)}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
