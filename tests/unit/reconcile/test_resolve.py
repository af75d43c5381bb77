"""What a spec leaves to Azure is asked once, recorded, and good for as long as the spec asks for the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelfleet.aml.answers import Answer
from modelfleet.aml.azure import Asker, Azure
from modelfleet.core.api import Environment, Model, ModelDeployment, Workspace, parse
from modelfleet.core.diagnosis import Cause
from modelfleet.core.errors import NotFound, Retryable, Terminal, Unreachable
from modelfleet.core.observed import Observed
from modelfleet.core.registered import Principal, Resolution, Resolved, Signed, is_resolved
from modelfleet.core.status import status_of
from modelfleet.reconcile.resolve import resolve
from tests.support.modeldeployments import URI, model_deployment
from tests.support.objects import container, ended, manifests, pod, ready_pod, reported, secret, stored_owner

HOME = {"subscriptionId": "11111111", "resourceGroup": "rg-ml", "name": "ml-prod"}
LAB = {"subscriptionId": "22222222", "resourceGroup": "rg-lab", "name": "ml-lab"}
REGISTRY = {"registry": "shared"}
MOMENT = datetime(2025, 11, 22, 13, tzinfo=UTC)

PENDING: Answer[Any] = Answer()
DOWN = Unreachable("No answer came.", reason="AzureTimeout")
GONE = NotFound("ModelNotFound", "It is not there.")
TIMEOUT = Cause("AzureTimeout", "No answer came.")


class Table(Azure):
    """Azure with these answers; what is not in the table is being asked. ``asked`` are the questions that came."""

    def __init__(self, answers: dict[str, Answer[Any]] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[str] = []
        self.askers: set[Asker] = set()
        self.principals: dict[str, tuple[str, Principal | None]] = {}

    def _told(self, question: str, asker: Asker, workspace: Workspace, principal: Principal | None) -> Answer[Any]:
        self.asked.append(question)
        self.askers.add(asker)
        self.principals[question] = workspace.label, principal
        return self.answers.get(question, PENDING)

    def latest(self, asker: Asker, workspace: Workspace, principal: Principal | None, name: str) -> Answer[str]:
        return self._told(f"latest {name}", asker, workspace, principal)

    def model(
        self, asker: Asker, workspace: Workspace, principal: Principal | None, model: Model, version: str
    ) -> Answer[Resolution]:
        return self._told(f"{model.name} {version}", asker, workspace, principal)

    def signed(
        self, asker: Asker, workspace: Workspace, principal: Principal | None, name: str, version: str
    ) -> Answer[Signed]:
        return self._told(f"signed {name} {version}", asker, workspace, principal)

    def image(self, asker: Asker, environment: Environment, principal: Principal | None) -> Answer[str]:
        return self._told(f"image {environment.name}", asker, environment.workspace, principal)


def known(value: Any, again_s: float | None = 30) -> Answer[Any]:
    return Answer(value, None, again_s)


def failed(error: Terminal | Retryable, value: Any = None, again_s: float = 5) -> Answer[Any]:
    return Answer(value, error, again_s)


def found(version: str, name: str = "claims", digest: str = "ab", place: Any = HOME) -> Resolution:
    """What there is of a version of a model."""
    [model] = deployment({"name": name, "version": version}, workspace=place).spec.models
    assert model.workspace
    source, uri = model.workspace.source_of(name, version), f"https://demo.blob.core.windows.net/{name}/{version}/"
    return Resolution(source, version, source if "registry" in place else uri, digest * 32, 1000, 2)


def deployment(*models: dict[str, Any], workspace: Any = HOME, **spec: Any) -> ModelDeployment:
    body = model_deployment()
    body["spec"] = {"models": list(models), "workspace": workspace, **spec}
    return parse(stored_owner(body))


def claims(version: str = "3", place: Any = HOME, **spec: Any) -> ModelDeployment:
    return deployment({"name": "claims", "version": version}, workspace=place, **spec)


def after(resolved: Resolved, of: ModelDeployment) -> ModelDeployment:
    """The ModelDeployment as it comes back once the status is written."""
    status = status_of(resolved, Observed(), resolved.problem, MOMENT)
    return replace(of, status=json.loads(json.dumps(status)))


def recorded(of: ModelDeployment, answers: dict[str, Answer[Any]]) -> ModelDeployment:
    """The ModelDeployment once these answers are in its status."""
    resolved = resolve(Table(answers), of, Observed())
    assert resolved.problem is None
    return after(resolved, of)


def serving(version: str, place: Any = HOME) -> dict[str, Answer[Any]]:
    """The answers by which a version of claims is served."""
    signed = {f"signed claims {version}": known(address(version))} if place is REGISTRY else {}
    return {"latest claims": known(version), f"claims {version}": known(found(version, place=place)), **signed}


def address(version: str) -> Signed:
    return Signed(f"https://shared.blob.core.windows.net/claims/{version}/", f"sig={version}", 9e9)


def versions(resolved: Resolved) -> list[tuple[str, str]]:
    return [(model.version, model.listing[:2]) for model in resolved.owner.spec.models]


def test_a_certain_version_is_asked_for_once_and_then_taken_from_the_status() -> None:
    first, then = Table({"claims 3": known(found("3"))}), Table()
    resolved = resolve(first, claims(), Observed())
    assert (resolved.problem, resolved.trouble, resolved.models) == (None, None, {"claims": found("3")})
    assert (first.asked, first.askers) == (["claims 3"], {("ml", "claims")})
    again = resolve(then, after(resolved, claims()), Observed())
    assert then.asked == []
    assert again.owner.spec == resolved.owner.spec
    assert (again.models, again.problem, again.trouble, again.again_s) == (resolved.models, None, None, None)


def test_the_newest_version_is_looked_up_every_time_and_resolved_when_it_is_another() -> None:
    of = recorded(claims("latest"), serving("3"))
    same, newer = Table(serving("3")), Table(serving("4"))
    assert versions(resolve(same, of, Observed())) == [("3", "ab")]
    assert same.asked == ["latest claims"]
    resolved = resolve(newer, of, Observed())
    assert versions(resolved) == [("4", "ab")]
    assert resolved.owner.spec.models[0].uri == found("4").uri
    assert (resolved.problem, resolved.trouble) == (None, None)


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [(PENDING, None), (failed(DOWN), TIMEOUT), (failed(GONE), Cause(GONE.reason, str(GONE), stalled=True))],
)
def test_what_is_recorded_is_served_while_azure_does_not_answer(
    answer: Answer[Any], trouble: Cause | None
) -> None:
    of = recorded(claims("latest"), serving("3"))
    resolved = resolve(Table({"latest claims": answer}), of, Observed())
    assert (versions(resolved), resolved.problem, resolved.trouble) == ([("3", "ab")], None, trouble)


@pytest.mark.parametrize("version", ["3", "latest"])
@pytest.mark.parametrize(("error", "is_stalled"), [(DOWN, False), (GONE, True)])
def test_where_nothing_is_recorded_the_reason_of_azure_is_the_problem(
    version: str, error: Terminal | Retryable, is_stalled: bool
) -> None:
    answers = {"latest claims": failed(error), "claims 3": failed(error)}
    resolved = resolve(Table(answers), claims(version), Observed())
    assert resolved.problem == Cause(error.reason, str(error), is_stalled)
    assert not is_resolved(resolved.owner)
    assert resolved.models == {}


@pytest.mark.parametrize(
    ("version", "answers", "says"),
    [
        ("3", {}, "claims version 3."),
        ("latest", {}, "the newest version of claims."),
        ("latest", {"latest claims": known("4")}, "claims version 4."),
    ],
)
def test_as_long_as_the_answer_is_to_come_that_is_what_is_waited_for(
    version: str, answers: dict[str, Answer[Any]], says: str
) -> None:
    resolved = resolve(Table(answers), claims(version), Observed())
    assert resolved.problem == Cause("Resolving", f"Asking Azure Machine Learning for {says}")


@pytest.mark.parametrize(("answer", "trouble"), [(PENDING, None), (failed(GONE), "ModelNotFound")])
def test_under_latest_the_old_version_is_kept_until_the_new_one_is_resolved(
    answer: Answer[Any], trouble: str | None
) -> None:
    of = recorded(claims("latest"), serving("3"))
    resolved = resolve(Table({"latest claims": known("4"), "claims 4": answer}), of, Observed())
    assert (versions(resolved), resolved.problem) == ([("3", "ab")], None)
    assert (resolved.trouble and resolved.trouble.reason) == trouble
    assert resolved.models == {"claims": found("3")}


@pytest.mark.parametrize(("answer", "reason"), [(PENDING, "Resolving"), (failed(GONE), "ModelNotFound")])
def test_a_version_that_was_asked_for_is_never_replaced_by_the_one_before(
    answer: Answer[Any], reason: str
) -> None:
    of = replace(claims("4"), status=recorded(claims("3"), serving("3")).status)
    resolved = resolve(Table({"claims 4": answer}), of, Observed())
    assert (resolved.problem and resolved.problem.reason, resolved.models) == (reason, {})
    assert not is_resolved(resolved.owner)


def test_an_old_answer_is_served_although_the_last_attempt_failed() -> None:
    resolved = resolve(Table({"claims 3": failed(DOWN, found("3"))}), claims(), Observed())
    assert (versions(resolved), resolved.problem, resolved.trouble) == ([("3", "ab")], None, TIMEOUT)


def fetching(of: ModelDeployment, reason: str, make: Any = pod) -> Observed:
    """A pod of what is recorded, whose fetcher ended for that reason."""
    wanted = resolve(Table(serving("3")), of, Observed()).owner
    status = container("fetch", ended(5, reported(reason, "The files are others.")))
    return Observed(pods=(make(wanted, initContainerStatuses=[status]),))


@pytest.mark.parametrize("version", ["3", "latest"])
@pytest.mark.parametrize("reason", ["ModelChanged", "ModelNotFound"])
@pytest.mark.parametrize(
    ("answer", "listing", "trouble"),
    [
        (known(found("3", digest="cd")), "cd", None),
        (PENDING, "ab", None),
        (failed(DOWN), "ab", "AzureTimeout"),
        (failed(DOWN, found("3", digest="cd")), "cd", "AzureTimeout"),
    ],
)
def test_where_a_pod_finds_other_files_azure_is_asked_again(
    version: str, reason: str, answer: Answer[Any], listing: str, trouble: str | None
) -> None:
    of = recorded(claims(version), serving("3"))
    azure = Table({"latest claims": known("3"), "claims 3": answer})
    resolved = resolve(azure, of, fetching(of, reason))
    assert "claims 3" in azure.asked
    assert (versions(resolved), resolved.problem) == ([("3", listing)], None)
    assert (resolved.trouble and resolved.trouble.reason) == trouble


@pytest.mark.parametrize("reason", ["ModelAccessDenied", "StorageUnreachable", "ChecksumMismatch", "Fetched"])
def test_other_failures_of_a_fetcher_are_not_for_azure_to_answer(reason: str) -> None:
    of, azure = recorded(claims(), serving("3")), Table()
    resolve(azure, of, fetching(of, reason))
    assert azure.asked == []


def test_neither_are_pods_that_serve_or_that_belong_to_another_revision() -> None:
    of, azure = recorded(claims(), serving("3")), Table()
    resolve(azure, of, fetching(of, "ModelChanged", ready_pod))
    resolve(azure, replace(of, status={**of.status, "revision": "0"}), fetching(of, "ModelChanged"))
    assert azure.asked == []


def applied(version: str, without: str = "") -> Observed:
    """The objects that a version of a registry's claims has left, its Secret without one key."""
    resolved = resolve(Table(serving(version, REGISTRY)), claims(version, REGISTRY), Observed())
    children = manifests(resolved.owner, Observed(signed=resolved.signed))
    live = children["Secret", "claims-model"]
    data = {key: value for key, value in live["data"].items() if key != f"claims.{version}.{without}"}
    return Observed(children={**children, ("Secret", "claims-model"): {**live, "data": data}})


def test_a_model_of_a_registry_needs_an_address_that_is_signed() -> None:
    azure = Table(serving("3", REGISTRY))
    resolved = resolve(azure, claims(place=REGISTRY), Observed())
    assert resolved.problem is None
    assert resolved.signed == {"claims": address("3")}
    assert resolved.owner.spec.models[0].uri == "azureml://registries/shared/models/claims/versions/3"
    assert azure.asked == ["claims 3", "signed claims 3"]


@pytest.mark.parametrize(("answer", "trouble"), [(PENDING, None), (failed(DOWN), "AzureTimeout")])
def test_without_azure_the_address_that_the_pods_have_goes_on_serving(
    answer: Answer[Any], trouble: str | None
) -> None:
    of = recorded(claims(place=REGISTRY), serving("3", REGISTRY))
    resolved = resolve(Table({"signed claims 3": answer}), of, applied("3"))
    assert (versions(resolved), resolved.problem, resolved.signed) == ([("3", "ab")], None, {})
    assert (resolved.trouble and resolved.trouble.reason) == trouble


@pytest.mark.parametrize("observed", [Observed(), applied("3", "uri"), applied("3", "sasToken")])
@pytest.mark.parametrize(("answer", "reason"), [(PENDING, "Resolving"), (failed(DOWN), "AzureTimeout")])
def test_without_any_address_that_is_the_problem(observed: Observed, answer: Answer[Any], reason: str) -> None:
    of = recorded(claims(place=REGISTRY), serving("3", REGISTRY))
    resolved = resolve(Table({"signed claims 3": answer}), of, observed)
    assert (resolved.problem and resolved.problem.reason, is_resolved(resolved.owner)) == (reason, False)


@pytest.mark.parametrize(("answer", "reason"), [(PENDING, "Resolving"), (failed(DOWN), "AzureTimeout")])
def test_an_address_of_one_version_never_serves_for_another(answer: Answer[Any], reason: str) -> None:
    """A retrained model may have files of the same names and sizes: nothing else would tell them apart."""
    status = recorded(claims(place=REGISTRY), serving("3", REGISTRY)).status
    azure = Table(serving("4", REGISTRY) | {"signed claims 4": answer})
    resolved = resolve(azure, replace(claims("4", REGISTRY), status=status), applied("3"))
    assert (resolved.problem and resolved.problem.reason, resolved.models) == (reason, {})


@pytest.mark.parametrize(("answer", "trouble"), [(PENDING, None), (failed(DOWN), "AzureTimeout")])
def test_under_latest_the_old_version_is_kept_until_the_new_one_has_an_address(
    answer: Answer[Any], trouble: str | None
) -> None:
    of = recorded(claims("latest", REGISTRY), serving("3", REGISTRY))
    azure = Table(serving("4", REGISTRY) | {"signed claims 4": answer})
    resolved = resolve(azure, of, applied("3"))
    assert (versions(resolved), resolved.problem, resolved.signed) == ([("3", "ab")], None, {})
    assert (resolved.trouble and resolved.trouble.reason) == trouble
    assert resolve(azure, of, Observed()).problem


ENVIRONMENT = {"azureml": "env:4"}
SERVING = {**serving("3"), "image env:4": known("registry.example/env@sha256:1")}


def test_an_image_is_asked_for_once_and_then_taken_from_the_status() -> None:
    of = recorded(claims(environment=ENVIRONMENT), SERVING)
    assert resolve(azure := Table(), of, Observed()).owner.spec.image == "registry.example/env@sha256:1"
    assert azure.asked == []


@pytest.mark.parametrize(("answer", "reason"), [(PENDING, "Resolving"), (failed(GONE), "ModelNotFound")])
def test_another_environment_is_asked_for_and_its_image_never_guessed(answer: Answer[Any], reason: str) -> None:
    status = recorded(claims(environment=ENVIRONMENT), SERVING).status
    of = replace(claims(environment={"azureml": "env:5"}), status=status)
    resolved = resolve(Table({"image env:5": answer}), of, Observed())
    assert (resolved.owner.spec.image, resolved.problem and resolved.problem.reason) == ("", reason)


@pytest.mark.parametrize(
    ("answers", "again_s"),
    [
        ({}, None),
        ({"latest claims": known("3", 60)}, 60),
        ({"latest claims": failed(DOWN, "3", 60), "claims 3": known(found("3"), 30)}, 30),
        ({"latest claims": known("3", 0), "claims 3": failed(DOWN)}, 0),
    ],
)
def test_the_next_look_is_due_when_the_first_answer_is(answers: dict[str, Any], again_s: float | None) -> None:
    assert resolve(Table(answers), claims("latest"), Observed()).again_s == again_s


FLEET = (
    {"name": "claims", "version": "3"},
    {"name": "fraud", "version": "latest", "workspace": {**LAB, "credentials": {"secretName": "lab"}}},
    {"name": "risk", "version": "1", "uri": URI},
    {"name": "shared", "version": "7", "workspace": REGISTRY},
)
FOUND = {
    "claims 3": known(found("3")),
    "latest fraud": known("5"),
    "fraud 5": known(found("5", "fraud", "cd", LAB)),
    "shared 7": known(found("7", "shared", "ef", REGISTRY)),
    "signed shared 7": known(address("7")),
}
CREDENTIALS = Observed(credentials={"lab": secret("lab", tenantId="dA==", clientId="Ywo=", clientSecret="cw==")})


def test_each_model_is_asked_for_where_it_is_registered_and_as_whom_that_place_says() -> None:
    azure = Table(FOUND)
    resolved = resolve(azure, deployment(*FLEET), CREDENTIALS)
    assert resolved.problem is None
    assert versions(resolved) == [("3", "ab"), ("5", "cd"), ("1", ""), ("7", "ef")]
    assert resolved.owner.spec.models[2] == deployment(*FLEET).spec.models[2]
    assert (set(resolved.models), set(resolved.signed)) == ({"claims", "fraud", "shared"}, {"shared"})
    assert azure.principals == {
        "claims 3": ("the workspace ml-prod", None),
        "latest fraud": ("the workspace ml-lab", Principal("t", "c", "s")),
        "fraud 5": ("the workspace ml-lab", Principal("t", "c", "s")),
        "shared 7": ("the registry shared", None),
        "signed shared 7": ("the registry shared", None),
    }


@pytest.mark.parametrize("question", FOUND)
def test_one_that_cannot_be_resolved_is_the_problem_of_all(question: str) -> None:
    resolved = resolve(Table(FOUND | {question: failed(GONE)}), deployment(*FLEET), CREDENTIALS)
    assert resolved.problem == Cause("ModelNotFound", "It is not there.", stalled=True)
    assert len(resolved.models) == 2


def test_of_several_problems_that_of_the_first_model_is_told() -> None:
    answers = FOUND | {"claims 3": failed(DOWN), "shared 7": failed(GONE)}
    resolved = resolve(Table(answers), deployment(*FLEET), CREDENTIALS)
    assert resolved.problem == TIMEOUT


OBSERVED = [Observed(), applied("3"), applied("4")]


@given(st.data(), st.sampled_from([HOME, REGISTRY]), st.sampled_from(["3", "latest"]))
def test_whatever_azure_says_all_is_known_or_there_is_a_problem(data: Any, place: Any, version: str) -> None:
    answers: dict[str, Answer[Any]] = {}
    for question, good in {**serving("4", place), **serving("3", place)}.items():
        bad = [PENDING, failed(DOWN), failed(GONE, good.value)]
        answers[question] = data.draw(st.sampled_from([good, *bad]))
    status = data.draw(st.sampled_from([{}, recorded(claims("latest", place), serving("4", place)).status]))
    observed = data.draw(st.sampled_from(OBSERVED))
    resolved = resolve(Table(answers), replace(claims(version, place), status=status), observed)
    assert is_resolved(resolved.owner) == (resolved.problem is None) == bool(resolved.models)
    assert version == "latest" or versions(resolved) == [("3", "ab" if resolved.models else "")]
    told = [answer.again_s for answer in answers.values() if answer.again_s is not None]
    assert resolved.again_s is None or resolved.again_s in told
