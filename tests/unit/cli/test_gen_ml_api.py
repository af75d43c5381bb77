"""How the values of the old template's chart are read."""

from typing import Any

import pytest

from modelfleet.cli.gen_ml_api import FIELDS, SECRET, read, shown
from tests.unit.cli.releases import PASSWORD, with_amlargs


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("replicaCount", 1),
        ("service.type", "LoadBalancer"),
        ("service.port", 80),
        ("autoscaling.enabled", False),
        ("autoscaling.maxReplicas", 100),
        ("autoscaling.targetCPUUtilizationPercentage", 80),
        ("resources", {}),
    ],
)
@pytest.mark.parametrize("given", [{}, {"service": None, "replicaCount": None, "autoscaling": {}}])
def test_what_is_left_out_is_what_the_chart_has(given: dict[str, Any], path: str, default: object) -> None:
    assert read(given)[path] == default
    assert read(given).remarks == ()


@pytest.mark.parametrize(
    ("given", "path", "value"),
    [
        ({"image": {"tag": 57}}, "image.tag", "57"),
        ({"replicaCount": "3"}, "replicaCount", 3),
        ({"service": {"port": "8080"}}, "service.port", 8080),
        ({"nameOverride": " old "}, "nameOverride", "old"),
        (
            {"autoscaling": {"targetCPUUtilizationPercentage": None}},
            "autoscaling.targetCPUUtilizationPercentage",
            0,
        ),
    ],
)
def test_a_value_is_read_as_helm_takes_it(given: dict[str, Any], path: str, value: object) -> None:
    assert read(given)[path] == value


@pytest.mark.parametrize(
    ("given", "remark"),
    [
        ({"replicaCount": -1}, "replicaCount is left out: it has to be a whole number from 0 to 1000."),
        ({"replicaCount": True}, "replicaCount is left out: it has to be a whole number from 0 to 1000."),
        ({"replicaCount": "9" * 5000}, "replicaCount is left out: it has to be a whole number from 0 to 1000."),
        ({"service": {"port": 65536}}, "service.port is left out: it has to be a whole number from 1 to 65535."),
        ({"service": {"type": []}}, "service.type is left out: it has to be ClusterIP, NodePort or LoadBalancer."),
        ({"tolerations": {}}, "tolerations is left out: it has to be a list."),
        ({"affinity": "none"}, "affinity is left out: it has to be a mapping."),
        ({"autoscaling": {"enabled": "yes"}}, "autoscaling.enabled is left out: it has to be true or false."),
        ({"image": {"tag": [1]}}, "image.tag is left out: it has to be a text."),
        ({"image": "api:1"}, "image is left out: it has to be a mapping, with names and values below it."),
        ({"env": []}, "env is left out: the chart gen-ml-api has no such value."),
        ({"service": {"nodePort": 1}}, "service.nodePort is left out: the chart gen-ml-api has no such value."),
        ({7: 1}, "7 is left out: the chart gen-ml-api has no such value."),
    ],
)
def test_what_is_not_understood_is_said(given: dict[str, Any], remark: str) -> None:
    assert read(given).remarks == (remark,)


def test_what_was_not_understood_counts_as_left_out() -> None:
    assert read({"service": {"port": "http"}})["service.port"] == 80


@pytest.mark.parametrize("heading", ["USER-SUPPLIED VALUES", "COMPUTED VALUES"])
def test_the_heading_of_helm_is_no_value(heading: str) -> None:
    assert read({heading: None}).remarks == ()


@pytest.mark.parametrize(
    ("password", "is_there"),
    [
        (PASSWORD, True),
        (12345, True),
        ("", False),
        ("Specify SP Client id secret", False),
        ("$(ClientSecret)", False),
    ],
)
def test_of_a_client_secret_nothing_is_kept_but_that_there_is_one(password: object, is_there: bool) -> None:
    values = read(with_amlargs(azureMlServicePrincipalPassword=password))
    assert values["amlargs.azureMlServicePrincipalPassword"] is is_there
    assert str(password) not in str(values) or not is_there


def test_each_value_that_is_kept_has_a_form_that_takes_its_default() -> None:
    kept = {path: known for path, known in FIELDS.items() if known.form is not SECRET}
    odd = [path for path, known in kept.items() if known.form.read(known.default) != known.default]
    assert odd == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain-text_1.0", "plain-text_1.0"), ("two\nlines", "two\\nlines"), ("\u2028é", "\\u2028\\u00e9")],
)
def test_what_others_wrote_is_shown_in_one_line(text: str, expected: str) -> None:
    assert shown(text) == expected
