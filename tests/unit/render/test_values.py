"""Whatever text a user writes comes out of a template as it went in, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelfleet.core.views import (
    ConfigMapView,
    DeploymentView,
    HTTPRouteView,
    ModelView,
    NetworkPolicyView,
    PodDisruptionBudgetView,
    PodView,
    SecretView,
    ServiceAccountView,
    ServiceView,
    View,
)
from modelfleet.render.renderer import render
from tests.support.objects import owner

Word = Callable[[str], str]
OWNER = owner()
NASTY = [
    "no",
    "~",
    "1e-05",
    "0o17",
    "*alias",
    "&anchor",
    "!!python/object:os.system",
    "{{ 1 + 1 }}",
    "{% for x in y %}",
    "'\"\\",
    "a: b # c",
    "- item",
    "\n---\nkind: Secret\n",
    "\x00\x1b\x7f\x85\u2028\ufeff\ufffe🎉",
    "]}",
    "%YAML 1.1",
    "x" * 3000,
]


def pod(word: Word) -> PodView:
    """A pod with every part that there is, and a word in each place that takes text."""
    return PodView(
        labels={"label": word("label")},
        selector={"selector": word("selector")},
        service_account=word("account"),
        image=word("image"),
        models=(model(word),),
        secret_name=word("secret"),
        secret_items=({"key": word("key of the Secret"), "path": word("path")},),
        workload_identity=True,
        resources={"limits": {"memory": word("memory")}},
        env=({"name": word("variable"), "value": word("value")},),
        pass_through={"nodeSelector": {"pool": word("pool")}, "tolerations": [{"key": word("key")}]},
        has_spread=False,
        live_settings=word("live settings"),
        samples=word("samples"),
        start_limit_s=600,
    )


def model(word: Word) -> ModelView:
    return ModelView(
        container=word("container"),
        argument=word("argument"),
        uri=word("uri"),
        sha256=word("sha256"),
        listing=word("listing"),
        directory=word("directory"),
        credentials=word("credentials"),
        workload_identity=True,
        env=({"name": "A", "value": word("fetch value")},),
    )


VIEWS: Mapping[str, Callable[[Word], View]] = {
    "ServiceAccount": lambda word: ServiceAccountView(word("name")),
    "Secret": lambda word: SecretView(word("name"), {"sasToken": word("token")}),
    "NetworkPolicy": lambda word: NetworkPolicyView(
        word("name"), {"a": word("selector")}, (443, 10000), True, True
    ),
    "ConfigMap": lambda word: ConfigMapView(word("name"), {"live.yaml": word("text")}),
    "HTTPRoute": lambda word: HTTPRouteView(
        word("name"), {"name": word("gateway")}, (word("host"),), {word("service"): 100}, 80
    ),
    "PodDisruptionBudget": lambda word: PodDisruptionBudgetView(word("name"), {"a": word("selector")}),
    "Service": lambda word: ServiceView(
        word("name"), {"a": word("selector")}, word("type"), 80, {"note": word("annotation")}
    ),
    "Deployment": lambda word: DeploymentView(
        word("name"), word("revision"), {"a": word("selector")}, 3, pod(word), None
    ),
    "Deployment as recorded": lambda word: DeploymentView(
        word("name"), word("revision"), {"a": "b"}, None, pod(str), {"spec": {"field": word("recorded")}}
    ),
}

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def manifest(view: View) -> dict[str, Any]:
    """The manifest without what is made from all the rest of it."""
    rendered = render(view, OWNER)
    for annotation in ("applied", "pod-template"):
        rendered["metadata"]["annotations"].pop(f"modelfleet.dev/{annotation}", None)
    return rendered


def marked(place: str) -> str:
    return f"«{place}»"


def filled(value: Any, text: str) -> Any:
    """The value with the text in place of every mark."""
    if isinstance(value, dict):
        return {key: filled(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, text) for item in value]
    return text if isinstance(value, str) and value.startswith("«") else value


@pytest.mark.parametrize("kind", VIEWS)
@pytest.mark.parametrize("text", NASTY)
def test_nasty_text_stays_in_its_place(kind: str, text: str) -> None:
    view_of = VIEWS[kind]
    assert manifest(view_of(lambda _: text)) == filled(manifest(view_of(marked)), text)


@given(text=texts, kind=st.sampled_from(sorted(VIEWS)))
@example(text="\U0010ffff", kind="Deployment")
def test_any_text_stays_in_its_place(text: str, kind: str) -> None:
    view_of = VIEWS[kind]
    assert manifest(view_of(lambda _: text)) == filled(manifest(view_of(marked)), text)


nothing_but_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | texts,
    lambda items: (
        st.lists(items, max_size=3) | st.dictionaries(st.text("abc: #'\"{}é🎉", max_size=8), items, max_size=3)
    ),
    max_leaves=12,
)


@given(nothing_but_json)
def test_any_data_comes_out_as_it_went_in(data: Any) -> None:
    view = ServiceView("claims", {}, "ClusterIP", 80, {"data": data})
    assert manifest(view)["metadata"]["annotations"]["data"] == data


def test_places_that_take_text_are_all_there() -> None:
    """A field of a view that no template uses would be lost without a word."""
    asked: list[str] = []

    def word(place: str) -> str:
        asked.append(place)
        return marked(place)

    found: list[str] = []

    def collect(value: Any) -> None:
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            collect(item)
        if isinstance(value, str) and value.startswith("«"):
            found.append(value)

    collect(manifest(VIEWS["Deployment"](word)))
    assert set(found) == set(map(marked, asked))


def test_a_number_with_a_point_is_refused() -> None:
    """YAML 1.1 reads 1e-05 back as text, and no field of Kubernetes takes such a number."""
    with pytest.raises(TypeError, match="no floats"):
        render(ServiceView("claims", {}, "ClusterIP", 80, {"ratio": 0.5}), OWNER)
