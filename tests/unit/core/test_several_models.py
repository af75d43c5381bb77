"""Several models behind one endpoint: each has its own fetcher, its own part of the Secret and its own access."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest

from modelfleet.core.api import ModelDeployment, WorkloadIdentity, parse
from modelfleet.core.children import Defaults, needed_secrets, obstacle, workspaces_of
from modelfleet.core.observed import Observed
from modelfleet.core.registered import Resolution, Signed
from modelfleet.core.revision import revision_of
from modelfleet.core.views import DeploymentView, NetworkPolicyView, PodView, SecretView, View
from tests.support.modeldeployments import URI, Manifest, model_deployment
from tests.support.objects import DEFAULTS, manifests, planned, secret, settled, stored_owner, wanted, world

HOME = {"subscriptionId": "11111111", "resourceGroup": "rg-ml", "name": "ml-prod"}
LAB = {"subscriptionId": "22222222", "resourceGroup": "rg-lab", "name": "ml-lab"}
REGISTRY = {"registry": "shared"}
SECRET = {"credentials": {"secretName": "principal"}}
IDENTITY = {"credentials": {"workloadIdentity": {"clientId": "the-client", "tenantId": "the-tenant"}}}
WITH_IDENTITY = Defaults("modelfleet/server:1", WorkloadIdentity("the-operator", "its-tenant"))

PUBLIC = {"name": "public", "uri": URI}
STORED = {"name": "stored", "uri": URI, "credentials": {"secretName": "storage"}}
OURS = {"name": "ours", "version": "3", "workspace": {**HOME, **SECRET}}
SHARED = {"name": "shared", "version": "7", "workspace": REGISTRY}
UNPLACED = {"name": "unplaced", "version": "1"}

USERS = {
    "storage": secret("storage", sasToken="c2ln", note="aGk="),
    "principal": secret("principal", tenantId="dA==", clientId="Yw==", clientSecret="cw==", sasToken="bm8="),
}
OBSERVED = Observed(
    credentials=USERS, signed={"shared": Signed("https://shared.blob.core.windows.net/m/", "sig=1", 9e9)}
)


def asked(*models: Manifest, **spec: Any) -> ModelDeployment:
    """A ModelDeployment with these models, before Azure has told anything."""
    body = model_deployment()
    body["spec"] = {"models": list(models), **spec}
    return parse(stored_owner(body))


def told(of: ModelDeployment, listing: str = "ab") -> ModelDeployment:
    """The same with what Azure tells of each registered model, whose newest version is 3."""
    models = []
    for model in of.spec.models:
        version = "3" if model.version == "latest" else model.version
        if model.workspace:
            source = model.workspace.source_of(model.name, version)
            uri = source if model.is_signed else f"https://demo.blob.core.windows.net/models/{model.name}/"
            model = Resolution(source, version, uri, listing * 32, 1000, 2).of(model)  # noqa: PLW2901
        models.append(model)
    return replace(of, spec=replace(of.spec, models=tuple(models)))


def fleet(*models: Manifest, **spec: Any) -> ModelDeployment:
    return told(asked(*models, **spec))


def view(
    kind: type[View], of: ModelDeployment, observed: Observed = OBSERVED, defaults: Defaults = DEFAULTS
) -> Any:
    views = [view for view in wanted(of, observed, defaults) if isinstance(view, kind)]
    assert len(views) == 1
    return views[0]


def pod(of: ModelDeployment, defaults: Defaults = DEFAULTS) -> PodView:
    pod: PodView = view(DeploymentView, of, defaults=defaults).pod
    return pod


def secret_data(of: ModelDeployment, observed: Observed = OBSERVED) -> Manifest:
    """The Secret of the pods, readable."""
    [found] = [view for view in wanted(of, observed) if isinstance(view, SecretView)]
    return {key: b64decode(value).decode() for key, value in found.data.items()}


def test_each_model_has_a_fetcher_a_folder_and_an_argument_of_its_own() -> None:
    found = pod(fleet(PUBLIC, {**OURS, "file": "a/b.onnx"}, {**PUBLIC, "name": "third", "version": "1"})).models
    assert [(model.container, model.directory, model.argument) for model in found] == [
        ("fetch", "/models/public", "public=/models/public"),
        ("fetch-2", "/models/ours", "ours:3=/models/ours/a/b.onnx"),
        ("fetch-3", "/models/third", "third:1=/models/third"),
    ]


def test_the_fetchers_are_told_what_to_fetch_and_the_server_what_to_serve_in_the_order_of_the_spec() -> None:
    spec = manifests(fleet(PUBLIC, OURS, SHARED), OBSERVED)["Deployment", "claims"]["spec"]["template"]["spec"]
    uris = {each["name"]: each["args"][each["args"].index("--uri") + 1] for each in spec["initContainers"]}
    assert uris == {
        "fetch": URI,
        "fetch-2": "https://demo.blob.core.windows.net/models/ours/",
        "fetch-3": "azureml://registries/shared/models/shared/versions/7",
    }
    [server] = spec["containers"]
    served = [argument for argument in server["args"] if "=/models/" in argument]
    assert served == ["public=/models/public", "ours:3=/models/ours", "shared:7=/models/shared"]


def test_only_what_azure_has_told_of_is_pinned() -> None:
    found = pod(fleet(PUBLIC, OURS, SHARED)).models
    assert [model.listing for model in found] == ["", "ab" * 32, "ab" * 32]


def test_the_secret_holds_for_each_model_the_keys_that_give_access_and_no_others() -> None:
    assert secret_data(fleet(PUBLIC, STORED, OURS, SHARED)) == {
        "stored.sasToken": "sig",
        "ours.tenantId": "t",
        "ours.clientId": "c",
        "ours.clientSecret": "s",
        "shared.7.uri": "https://shared.blob.core.windows.net/m/",
        "shared.7.sasToken": "sig=1",
        "shared.7.source": "azureml://registries/shared/models/shared/versions/7",
    }


def test_two_models_of_one_workspace_have_its_keys_each() -> None:
    data = secret_data(fleet(OURS, {**OURS, "name": "more"}))
    assert data.keys() == {
        f"{m}.{key}" for m in ("ours", "more") for key in ("tenantId", "clientId", "clientSecret")
    }


def test_an_address_that_is_not_signed_anew_stays_as_it_is() -> None:
    of = fleet(STORED, SHARED)
    [before] = [view for view in wanted(of, OBSERVED) if isinstance(view, SecretView)]
    live = {("Secret", "claims-model"): secret("claims-model", **before.data)}
    later = Observed(children=live, credentials={"storage": secret("storage", accountKey="a2V5")})
    assert secret_data(of, later) == {
        "stored.accountKey": "key",
        **{key: value for key, value in secret_data(of).items() if key.startswith("shared.")},
    }


def test_a_model_sees_its_own_keys_only_and_a_signed_address_where_there_is_one() -> None:
    found = pod(fleet(PUBLIC, STORED, OURS, SHARED))
    assert [model.credentials for model in found.models] == [
        "",
        "/var/run/secrets/modelfleet/stored",
        "/var/run/secrets/modelfleet/ours",
        "/var/run/secrets/modelfleet/shared",
    ]
    assert found.secret_name == "claims-model"
    assert all(item["key"].replace(".7.", ".").replace(".", "/") == item["path"] for item in found.secret_items)
    paths = {item["path"] for item in found.secret_items}
    assert {path for path in paths if path.startswith("shared/")} == {"shared/uri", "shared/sasToken"}
    assert "stored/uri" not in paths


def test_whatever_the_secret_holds_for_the_pods_is_mounted() -> None:
    of = fleet(PUBLIC, STORED, OURS, SHARED)
    mounted = {item["key"] for item in pod(of).secret_items}
    assert secret_data(of).keys() - mounted == {"shared.7.source"}


def test_without_credentials_there_is_no_secret_and_nothing_is_mounted() -> None:
    of = fleet(PUBLIC, {**PUBLIC, "name": "other"}, {**OURS, "workspace": HOME})
    assert not [view for view in wanted(of, OBSERVED, WITH_IDENTITY) if isinstance(view, SecretView)]
    assert (pod(of).secret_name, pod(of).secret_items) == ("", ())


@pytest.mark.parametrize(
    ("model", "client"),
    [
        (PUBLIC, None),
        (STORED, None),
        ({**PUBLIC, **IDENTITY}, "the-client"),
        ({**OURS, "workspace": HOME}, "the-operator"),
        ({**OURS, "workspace": {**HOME, **SECRET}}, None),
        ({**OURS, "workspace": {**HOME, **IDENTITY}}, "the-client"),
        (SHARED, None),
        ({**SHARED, "workspace": {**REGISTRY, **SECRET}}, None),
    ],
)
def test_a_fetcher_is_who_the_spec_says_or_the_operator_where_a_workspace_says_nothing(
    model: Manifest, client: str | None
) -> None:
    found = pod(fleet(model, env=[{"name": "A", "value": "b"}]), WITH_IDENTITY)
    env = {variable["name"]: variable["value"] for variable in found.models[0].env}
    assert (env.get("AZURE_CLIENT_ID"), env["A"]) == (client, "b")
    assert env.get("AZURE_TENANT_ID") == {"the-client": "the-tenant", "the-operator": "its-tenant"}.get(
        client or ""
    )
    assert ("AZURE_FEDERATED_TOKEN_FILE" in env) == found.models[0].workload_identity == (client is not None)
    assert [variable["name"] for variable in found.env] == ["A"]


def test_an_operator_without_identity_gives_none() -> None:
    assert pod(fleet({**OURS, "workspace": HOME})).models[0].env == ()


def test_fetchers_of_one_pod_may_be_different_persons() -> None:
    found = pod(fleet(PUBLIC, {**PUBLIC, "name": "own", **IDENTITY}, {**OURS, "workspace": HOME}), WITH_IDENTITY)
    clients = [{v["name"]: v["value"] for v in model.env}.get("AZURE_CLIENT_ID") for model in found.models]
    assert clients == [None, "the-client", "the-operator"]
    assert found.workload_identity


def test_a_workspace_is_named_once_however_many_models_it_has() -> None:
    of = asked(OURS, {**OURS, "name": "more"}, SHARED, PUBLIC, {"name": "x", "version": "1"}, workspace=LAB)
    assert [workspace.label for workspace in workspaces_of(of.spec)] == [
        "the workspace ml-prod",
        "the registry shared",
        "the workspace ml-lab",
    ]
    assert [needed.name for needed in needed_secrets(of.spec)] == ["principal"]


def test_an_environment_needs_the_access_of_its_workspace_as_well() -> None:
    of = asked(PUBLIC, workspace={**HOME, **SECRET}, environment={"azureml": "env:4"})
    assert [(needed.name, needed.place) for needed in needed_secrets(of.spec)] == [
        ("principal", "spec.workspace.credentials")
    ]


PLACES: list[tuple[Manifest, list[str]]] = [
    ({"model": STORED}, ["spec.model.credentials"]),
    ({"models": [STORED]}, ["spec.models[0].credentials"]),
    ({"models": [PUBLIC, STORED, STORED]}, ["spec.models[1].credentials", "spec.models[2].credentials"]),
    ({"model": OURS}, ["spec.model.workspace.credentials"]),
    ({"models": [PUBLIC, OURS, OURS]}, ["spec.models[1].workspace.credentials"]),
    ({"models": [OURS, UNPLACED], "workspace": {**LAB, **SECRET}},
     ["spec.models[0].workspace.credentials", "spec.workspace.credentials"]),
    ({"model": UNPLACED, "workspace": {**LAB, **SECRET}}, ["spec.workspace.credentials"]),
    ({"models": [OURS, UNPLACED], "workspace": OURS["workspace"]}, ["spec.workspace.credentials"]),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "places"), PLACES)
def test_the_field_that_names_a_secret_is_named_as_it_stands_in_the_spec(
    spec: Manifest, places: list[str]
) -> None:
    body = model_deployment()
    body["spec"] = spec
    assert [needed.place for needed in needed_secrets(parse(stored_owner(body)).spec)] == places


@pytest.mark.parametrize("workspace", [HOME, REGISTRY])
def test_the_secret_of_a_workspace_that_is_not_there_is_named_with_its_place(workspace: Manifest) -> None:
    of = asked({"name": "claims", "version": "3"}, workspace={**workspace, **SECRET})
    cause = obstacle(of, Observed(credentials={"principal": None}))
    assert cause
    assert (cause.reason, cause.stalled) == ("CredentialsMissing", False)
    assert (
        "The Secret principal named in spec.workspace.credentials does not exist in namespace ml" in cause.message
    )


@pytest.mark.parametrize(
    "data", [{}, {"sasToken": "eA=="}, {"accountKey": "eA=="}, {"tenantId": "eA==", "clientId": "eA=="}]
)
def test_a_workspace_is_opened_by_a_service_principal_only(data: dict[str, str]) -> None:
    of = asked({"name": "claims", "version": "3"}, workspace={**HOME, **SECRET})
    cause = obstacle(of, Observed(credentials={"principal": secret("principal", **data)}))
    assert cause
    assert (cause.reason, cause.stalled) == ("CredentialsInvalid", True)
    assert "in spec.workspace.credentials must hold tenantId, clientId and clientSecret;" in cause.message
    assert "eA==" not in cause.message


@pytest.mark.parametrize(
    ("missing", "place"),
    [("storage", "spec.models[2].credentials"), ("principal", "spec.models[1].workspace.credentials")],
)
def test_the_secret_of_any_model_may_be_the_obstacle(missing: str, place: str) -> None:
    of = asked(PUBLIC, OURS, STORED)
    assert obstacle(of, OBSERVED) is None
    cause = obstacle(of, Observed(credentials={**USERS, missing: None}))
    assert cause
    assert f"The Secret {missing} named in {place} does not exist" in cause.message


@pytest.mark.parametrize(
    ("models", "ports"),
    [
        ([PUBLIC, OURS, SHARED], (443,)),
        ([{**PUBLIC, "uri": "http://a.ml.svc:10000/m/"}, {**PUBLIC, "uri": "http://b.ml.svc/m/"}], (80, 10000)),
        ([{**PUBLIC, "uri": "http://a.ml.svc:10000/m/"}, OURS], (443, 10000)),
        ([{**STORED, "uri": "http://a.ml.svc:10000/m/"}], (443, 10000)),
        ([{**PUBLIC, "uri": "http://dns.ml.svc:53/m/"}, SHARED], (443,)),
    ],
)
def test_pods_reach_the_storage_of_every_model_and_what_they_sign_in_at(
    models: list[Manifest], ports: tuple[int, ...]
) -> None:
    found = view(NetworkPolicyView, fleet(*models))
    assert found.egress_ports == ports
    assert found.in_cluster == any(".svc" in model.get("uri", "") for model in models)


NEWEST = {**OURS, "version": "latest"}
SAME: dict[str, tuple[ModelDeployment, ModelDeployment]] = {
    "latest is a number": (fleet(OURS), fleet(NEWEST)),
    "the workspace of all or of one": (
        fleet({"name": "ours", "version": "3"}, workspace={**HOME, **SECRET}),
        fleet(OURS),
    ),
    "the name of the workspace": (fleet(OURS), fleet({**OURS, "workspace": {**LAB, **SECRET}})),
    "the Secret of a registry": (fleet(SHARED), fleet({**SHARED, "workspace": {**REGISTRY, **SECRET}})),
    "a list of one": (fleet(PUBLIC), parse(stored_owner({**model_deployment(), "spec": {"model": PUBLIC}}))),
    "an environment as its image": (
        fleet(PUBLIC, environment={"image": "env:4"}),
        replace(
            of := asked(PUBLIC, workspace=HOME, environment={"azureml": "env:4"}),
            spec=replace(of.spec, image="env:4"),
        ),
    ),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME.keys())
def test_what_is_the_same_to_the_pods_restarts_none(one: ModelDeployment, other: ModelDeployment) -> None:
    assert revision_of(one.spec) == revision_of(other.spec)


CHANGED: list[list[Manifest]] = [
    [{**OURS, "version": "4"}, SHARED],
    [{**OURS, "file": "a.onnx"}, SHARED],
    [{**OURS, "sha256": "cd" * 32}, SHARED],
    [{**OURS, "name": "mine"}, SHARED],
    [{**OURS, "workspace": {**HOME, **IDENTITY}}, SHARED],
    [{**OURS, "workspace": HOME}, SHARED],
    [OURS, {**SHARED, "version": "8"}],
    [OURS, {**SHARED, "workspace": {"registry": "other"}}],
    [OURS],
    [SHARED, OURS],
    [OURS, SHARED, PUBLIC],
]


def test_what_is_another_thing_to_the_pods_is_another_revision() -> None:
    revisions = [revision_of(fleet(*models).spec) for models in ([OURS, SHARED], *CHANGED)]
    assert len(set(revisions)) == len(revisions)


@pytest.mark.parametrize("model", [OURS, SHARED])
def test_other_files_under_the_same_version_are_another_revision(model: Manifest) -> None:
    of = asked(PUBLIC, model)
    assert revision_of(told(of, "ab").spec) != revision_of(told(of, "cd").spec)


def test_neither_a_new_token_nor_a_new_password_touches_the_pods() -> None:
    of = fleet(OURS, SHARED)
    renewed = Observed(
        credentials={"principal": secret("principal", tenantId="dA==", clientId="Yw==", clientSecret="bmV3")},
        signed={"shared": Signed("https://replica.blob.core.windows.net/m/", "sig=2", 9e9)},
    )
    before, after = view(DeploymentView, of), view(DeploymentView, of, renewed)
    assert after == before
    assert secret_data(of, renewed) != secret_data(of)
    assert view(DeploymentView, of, replace(renewed, signed={})) == before


def test_an_operator_that_gets_an_identity_restarts_nobodys_pods() -> None:
    of = fleet({**OURS, "workspace": HOME})
    live = world(of, settled(of))
    [after] = [v for v in planned(of, live, WITH_IDENTITY).children if isinstance(v, DeploymentView)]
    assert after.template == view(DeploymentView, of, live).template is not None
