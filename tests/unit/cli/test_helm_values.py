"""What replaces a release of the old template's chart."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelfleet.cli import yaml_text
from modelfleet.cli.gen_ml_api import FIELDS
from modelfleet.cli.helm_values import Migration, Wanted, convert
from tests.unit.cli.releases import (
    AMLARGS,
    CLIENT,
    FULL,
    PASSWORD,
    SUBSCRIPTION,
    TENANT,
    release,
    with_amlargs,
)

CLAIMS = Wanted(models=("claims",))


def spec_of(migration: Migration) -> dict[str, Any]:
    assert migration.obstacles == ()
    spec: dict[str, Any] = migration.manifests[0]["spec"]
    return spec


def remarks_on(values: dict[str, Any], wanted: Wanted = CLAIMS) -> list[str]:
    """What is said of these values, and not of every release."""
    always = convert(release(), wanted).remarks
    return [remark for remark in convert(values, wanted).remarks if remark not in always]


def test_a_plain_release_becomes_a_model_in_its_workspace_behind_the_same_kind_of_service() -> None:
    assert convert(release(), Wanted("", "ml", ("claims",))).manifests == (
        {
            "apiVersion": "modelfleet.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": "claims", "namespace": "ml"},
            "spec": {
                "workspace": {
                    "subscriptionId": SUBSCRIPTION,
                    "resourceGroup": "rg-ml",
                    "name": "ml-prod",
                    "credentials": {"secretName": "claims-azureml"},
                },
                "model": {"name": "claims", "version": "latest"},
                "replicas": 1,
                "service": {"type": "LoadBalancer", "port": 80},
            },
        },
    )


def test_all_that_a_pod_can_have_is_carried_over() -> None:
    spec = spec_of(convert(FULL, CLAIMS))
    carried = ("resources", "nodeSelector", "tolerations", "affinity", "imagePullSecrets")
    assert {name: spec[name] for name in carried} == {name: FULL[name] for name in carried}
    assert spec["replicas"] == 3
    assert spec["service"] == {"type": "ClusterIP", "port": 8080}


def test_nothing_of_a_release_is_lost_in_silence() -> None:
    told = " ".join(convert(FULL, CLAIMS).remarks)
    for path in (
        "contoso.azurecr.io/gen-ml-api:57",
        "image.pullPolicy",
        "fullnameOverride",
        "serviceAccount.name",
        "serviceAccount.annotations",
        "podAnnotations",
        "podSecurityContext",
        "securityContext",
        "ingress for ml.example.com, ml.example.org",
    ):
        assert path in told


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (("claims",), {"model": {"name": "claims", "version": "latest"}}),
        (("claims:latest",), {"model": {"name": "claims", "version": "latest"}}),
        (("claims:3",), {"model": {"name": "claims", "version": "3"}}),
        (
            ("claims:3", "fraud"),
            {"models": [{"name": "claims", "version": "3"}, {"name": "fraud", "version": "latest"}]},
        ),
    ],
)
def test_the_models_are_those_that_were_named(models: tuple[str, ...], expected: dict[str, Any]) -> None:
    spec = spec_of(convert(release(), Wanted(models=models)))
    assert {name: spec[name] for name in ("model", "models") if name in spec} == expected


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (Wanted("chosen", models=("claims",)), "chosen"),
        (Wanted(models=("claim_classifier_onnx_demo:3",)), "claim-classifier-onnx-demo"),
        (Wanted(models=("Claims.V2_",)), "claims-v2"),
        (Wanted(models=("c" * 60,)), "c" * 52),
        (Wanted(models=("c" * 51 + "_laims",)), "c" * 51),
        (Wanted(models=("2021-claims",)), "ml-api"),
        (Wanted(models=("claims", "fraud")), "ml-api"),
    ],
)
def test_the_name_is_the_one_chosen_or_else_that_of_the_only_model_as_a_host_name(
    wanted: Wanted, name: str
) -> None:
    migration = convert(release(), wanted)
    assert migration.manifests[0]["metadata"] == {"name": name}
    assert spec_of(migration)["workspace"]["credentials"] == {"secretName": f"{name}-azureml"}


@pytest.mark.parametrize(
    ("autoscaling", "bounds", "targets"),
    [
        ({}, (1, 100), {"cpu": 80}),
        ({"minReplicas": 2, "maxReplicas": 5}, (2, 5), {"cpu": 80}),
        ({"targetMemoryUtilizationPercentage": 70}, (1, 100), {"cpu": 80, "memory": 70}),
        (
            {"targetCPUUtilizationPercentage": None, "targetMemoryUtilizationPercentage": 70},
            (1, 100),
            {"memory": 70},
        ),
        ({"targetCPUUtilizationPercentage": 0}, (1, 100), {}),
    ],
)
def test_autoscaling_becomes_an_autoscaler_of_the_model_deployment(
    autoscaling: dict[str, Any], bounds: tuple[int, int], targets: dict[str, int]
) -> None:
    values = release(replicaCount=7, autoscaling={"enabled": True} | autoscaling)
    resource, autoscaler = convert(values, CLAIMS).manifests
    assert "replicas" not in resource["spec"]
    assert autoscaler["metadata"] == resource["metadata"]
    assert autoscaler["spec"]["scaleTargetRef"] == {
        "apiVersion": "modelfleet.dev/v1alpha1",
        "kind": "ModelDeployment",
        "name": "claims",
    }
    assert (autoscaler["spec"]["minReplicas"], autoscaler["spec"]["maxReplicas"]) == bounds
    metrics = [metric["resource"] for metric in autoscaler["spec"]["metrics"]]
    assert {metric["name"]: metric["target"]["averageUtilization"] for metric in metrics} == targets


@pytest.mark.parametrize(
    ("values", "remark"),
    [
        (release(image={"pullPolicy": "Always"}), "image.pullPolicy Always is left out: pods use an image that"),
        (
            release(fullnameOverride="old"),
            "fullnameOverride old is left out: what is printed here is called claims",
        ),
        (
            release(nameOverride="claims"),
            "nameOverride claims is left out: what is printed here has that name too",
        ),
        (release(serviceAccount={"create": False}), "serviceAccount.create is left out: the operator makes a"),
        (release(podAnnotations={"team": "ml"}), "podAnnotations is left out: pods carry only what the operator"),
        (
            release(securityContext={"runAsUser": 1}),
            "securityContext is left out: containers have no capabilities",
        ),
        (
            release(ingress={"enabled": True, "hosts": 3}),
            "ingress is left out: write an Ingress of networking.k8s",
        ),
        (
            release(ingress={"enabled": True, "hosts": [{"host": "a.example"}]}, service={"port": 81}),
            "ingress for a.example is left out: write an Ingress of networking.k8s.io/v1 with the Service claims",
        ),
        (
            release(affinity={"podAffinity": {}}),
            "affinity is as it was: where it chooses pods by the labels of the",
        ),
        (release(replicas=3), "replicas is left out: the chart gen-ml-api has no such value."),
        (release(replicaCount="many"), "replicaCount is left out: it has to be a whole number from 0 to 1000."),
    ],
)
def test_what_stays_behind_is_said_in_a_sentence(values: dict[str, Any], remark: str) -> None:
    found = remarks_on(values)
    assert found[0].startswith(remark)
    assert all(sentence.endswith(".") for sentence in found)


@pytest.mark.parametrize(
    "values",
    [
        release(image={"pullPolicy": "IfNotPresent"}),
        release(serviceAccount={"create": True, "name": "", "annotations": {}}),
        release(ingress={"enabled": False, "hosts": [{"host": "chart-example.local", "paths": []}]}),
        release(affinity={"nodeAffinity": {}}),
        release(podAnnotations={}, podSecurityContext={}, securityContext={}, nameOverride="", tolerations=[]),
    ],
)
def test_nothing_is_said_of_what_is_the_same_in_the_end(values: dict[str, Any]) -> None:
    assert remarks_on(values) == []


def test_models_have_to_be_onnx_and_a_secret_has_to_be_made_whatever_the_values_are() -> None:
    needed, *others = convert(with_amlargs(azureMlServicePrincipalPassword=None), CLAIMS).remarks
    assert needed.startswith("The Secret claims-azureml has to be made by you")
    assert len(others) == 1
    assert others[0].startswith(
        "The old image, with its main-generic.py, is left out: pods run Modelfleet's server"
    )


@pytest.mark.parametrize(
    ("values", "obstacle"),
    [
        (
            {"amlargs": {name: value for name, value in AMLARGS.items() if name != "azureMlWorkspaceName"}},
            "amlargs.azureMlWorkspaceName is missing.",
        ),
        (
            with_amlargs(azureSubscriptionId="Specify Azure Subscription ID"),
            "amlargs.azureSubscriptionId still has the chart's request to write something there.",
        ),
        (
            with_amlargs(azureResourceGroupName="$(ResourceGroup)"),
            "amlargs.azureResourceGroupName is $(ResourceGroup), a variable of the pipeline",
        ),
        (
            with_amlargs(azureSubscriptionId="Pay-As-You-Go"),
            "amlargs.azureSubscriptionId is not the ID of a subscription",
        ),
        (with_amlargs(azureMlWorkspaceName=["ml-prod"]), "amlargs.azureMlWorkspaceName is missing."),
    ],
)
def test_without_a_workspace_nothing_is_printed_but_how_to_get_the_values(
    values: dict[str, Any], obstacle: str
) -> None:
    migration = convert(values, CLAIMS)
    assert migration.manifests == ()
    first, hint = migration.obstacles
    assert first.startswith(obstacle)
    assert "helm get values" in hint


@pytest.mark.parametrize(
    ("wanted", "obstacle"),
    [
        (Wanted(), "No model is named, and the values name none either"),
        (Wanted(models=("claims:",)), "--model claims: is not NAME or NAME:VERSION"),
        (Wanted(models=(":3",)), "--model :3 is not NAME or NAME:VERSION"),
        (Wanted(models=("a b",)), "--model a b is not NAME or NAME:VERSION"),
        (Wanted(models=("claims:1:2",)), "--model claims:1:2 is not NAME or NAME:VERSION"),
        (Wanted(models=("claims:1", "claims:2")), "--model claims is given twice"),
        (Wanted(models=tuple(f"m{i}" for i in range(17))), "One ModelDeployment serves at most 16 models"),
        (Wanted("Claims", models=("claims",)), "--name Claims cannot be a host name"),
        (Wanted("c" * 53, models=("claims",)), f"--name {'c' * 53} cannot be a host name"),
        (Wanted("", "a/b", ("claims",)), "--namespace a/b is no name of a namespace."),
    ],
)
def test_what_was_asked_for_has_to_make_sense(wanted: Wanted, obstacle: str) -> None:
    migration = convert(release(), wanted)
    assert migration.manifests == ()
    assert [found for found in migration.obstacles if found.startswith(obstacle)] == list(migration.obstacles)


def test_all_obstacles_are_told_at_once() -> None:
    assert len(convert({}, Wanted("A", "B", ("a", "a", "-"))).obstacles) == 8


def test_the_secret_to_make_has_all_but_the_secret() -> None:
    example = next(comment for comment in convert(FULL, CLAIMS).comments if "stringData" in comment)
    assert yaml_text.read(example.encode()) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "claims-azureml"},
        "stringData": {
            "tenantId": TENANT,
            "clientId": CLIENT,
            "clientSecret": "A NEW SECRET OF THE SERVICE PRINCIPAL",
        },
    }


def test_a_secret_in_the_wrong_place_is_not_repeated_either() -> None:
    swapped = with_amlargs(azureTenantId=PASSWORD, azureMlServicePrincipalClientId=PASSWORD)
    assert PASSWORD not in str(convert(swapped, CLAIMS))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def some_values(draw: st.DrawFn) -> dict[str, Any]:
    """Any values in any place, in the chart's words or not, beside what cannot be done without."""
    values: dict[str, Any] = draw(st.dictionaries(st.text(), anything, max_size=3))
    for path in draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=6)):
        section, _, name = path.rpartition(".")
        (values.setdefault(section, {}) if section else values)[name] = draw(anything)
    return values | {"amlargs": AMLARGS}


@given(some_values())
def test_whatever_the_values_are_one_resource_comes_out_and_no_secret(values: dict[str, Any]) -> None:
    migration = convert(values, CLAIMS)
    text = yaml_text.written(migration.manifests, migration.comments)
    assert text.count("\nkind: ModelDeployment\n") == 1
    assert PASSWORD not in text
    assert all(remark.isascii() and remark.isprintable() for remark in migration.remarks)
