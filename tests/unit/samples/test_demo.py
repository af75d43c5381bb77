"""What the demo relies on beyond its own code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]


def test_every_cluster_gets_the_same_azurite() -> None:
    documents = yaml.safe_load_all((ROOT / "manifests/azurite/azurite.yaml").read_text())
    deployment = next(document for document in documents if document["kind"] == "Deployment")
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    package = json.loads((ROOT / "local/azurite/package.json").read_text())
    assert image == f"mcr.microsoft.com/azure-storage/azurite:{package['dependencies']['azurite']}"


def test_load_gives_back_what_it_reads_and_ends_with_its_input() -> None:
    """As the demo runs it: the program as an argument, so that the pod needs no file."""
    program = [sys.executable, "-c", (ROOT / "bench/load.py").read_text(), "http://127.0.0.1:1", "--rate=1"]
    done = subprocess.run(program, input="ready\n", capture_output=True, text=True, timeout=30, check=False)
    echo, outcome, *_ = done.stdout.splitlines()
    assert echo == "ready"
    assert outcome.endswith("ClientConnectorError)")
    assert done.returncode == 1
