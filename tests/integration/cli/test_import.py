"""What `modelfleet import` prints, applied to a real API server."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from modelfleet.cli.main import main
from tests.support.kubectl import Kubectl
from tests.unit.cli.releases import FULL, release, with_amlargs

RELEASES: dict[str, dict[str, Any]] = {
    "as the old template installs it": release(),
    "with all that the chart has": FULL,
    "with a port of each node": release(service={"type": "NodePort", "port": "8080"}),
    "scaled to zero": release(replicaCount=0),
    "scaled by CPU": release(autoscaling={"enabled": True, "maxReplicas": 5}),
    "scaled by memory": release(
        autoscaling={
            "enabled": True,
            "targetCPUUtilizationPercentage": None,
            "targetMemoryUtilizationPercentage": 70,
        }
    ),
    "with values that nobody understands": release(replicaCount="many", tolerations={}, service="LoadBalancer"),
    "without a client secret": with_amlargs(azureMlServicePrincipalPassword=None),
    "with text that YAML could take for something else": release(
        nodeSelector={"release": "2021-10-05", "generation": "3", "gpu": "true", "zone": "1:30"}
    ),
}
MODELS = {
    "one model": ["--model", "claim_classifier_onnx_demo"],
    "several models": ["--model", "claims:3", "--model", "fraud", "--name", "insurance"],
}


@pytest.mark.parametrize("models", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("values", RELEASES.values(), ids=RELEASES)
def test_the_api_server_accepts_what_replaces_a_release(
    kubectl: Kubectl,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    values: dict[str, Any],
    models: list[str],
) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    assert main(["import", "helm-values", str(file), "--namespace", kubectl.namespace, *models]) == 0
    printed = capsys.readouterr().out
    for options in ((), ("--server-side",)):
        kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", *options, stdin=printed)
