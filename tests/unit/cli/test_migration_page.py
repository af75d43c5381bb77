"""docs/migration.md tells what the command does."""

import re
from pathlib import Path

import pytest
import yaml

from modelfleet.cli.gen_ml_api import FIELDS
from modelfleet.cli.helm_values import Wanted, convert

PAGE = (Path(__file__).parents[3] / "docs" / "migration.md").read_text()
BEFORE, AFTER = (yaml.safe_load(block) for block in re.findall("^```yaml\n(.*?)^```", PAGE, re.M | re.S))


def test_the_example_is_what_the_command_prints() -> None:
    wanted = Wanted("claims", "aml-aks-onnx", ("claim_classifier_onnx_demo",))
    assert list(convert(BEFORE, wanted).manifests) == [AFTER]


@pytest.mark.parametrize("path", FIELDS)
def test_each_value_of_the_chart_is_in_the_table(path: str) -> None:
    section = path.partition(".")[0]
    assert f"`{path}`" in PAGE or f"`{section}.*`" in PAGE
