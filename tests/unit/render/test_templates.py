"""The templates themselves: strict about their inputs and unambiguous in what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import jinja2
import jinja2.meta
import pytest
import yaml

from modelfleet.core.views import KINDS
from modelfleet.render import renderer
from tests.unit.render.test_values import VIEWS, marked, pod

TEMPLATES = sorted(name.removesuffix(".yaml.j2") for name in renderer._TEMPLATES.list_templates())


class StrictLoader(yaml.SafeLoader):
    """YAML as its author means it: each key once, keys are text, nothing by reference."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        assert not self.check_event(yaml.AliasEvent), "an alias"
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert all(isinstance(key, str) for key in keys), f"a key that is no text at {node.start_mark}"
        assert len(set(keys)) == len(keys), f"a key twice at {node.start_mark}"
        return super().construct_mapping(node, deep)


def strictly(text: str) -> Any:
    return yaml.load(text, StrictLoader)


def inputs(template: str) -> Mapping[str, Any]:
    """Everything that a template may be filled from."""
    return asdict(pod(marked)) if template == "PodTemplate" else asdict(VIEWS[template](marked))


def fill(template: str, values: Mapping[str, Any]) -> str:
    return renderer._TEMPLATES.get_template(f"{template}.yaml.j2").render(values)


def test_there_is_a_template_for_each_kind_and_no_other() -> None:
    assert set(TEMPLATES) == {*KINDS.values(), "PodTemplate"}


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_says_nothing_twice(template: str) -> None:
    strictly(fill(template, inputs(template)))


@pytest.mark.parametrize("left_out", ["sha256", "secret_name", "workload_identity", "has_spread"])
def test_a_pod_without_an_option_says_nothing_twice_either(left_out: str) -> None:
    strictly(fill("PodTemplate", {**inputs("PodTemplate"), left_out: False}))


@pytest.mark.parametrize("text", ["a: 1\na: 2", "a: &x 1\nb: *x", "1: a", "no: a", "{a: {b: 1, b: 1}}"])
def test_the_strict_loader_is_strict(text: str) -> None:
    with pytest.raises(AssertionError):
        strictly(text)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_field_that_the_view_lacks_is_an_error_and_never_a_blank(template: str) -> None:
    source = renderer._TEMPLATES.loader
    assert source
    text, _, _ = source.get_source(renderer._TEMPLATES, f"{template}.yaml.j2")
    used = jinja2.meta.find_undeclared_variables(renderer._TEMPLATES.parse(text))
    assert used
    for name in used:
        values = {key: value for key, value in inputs(template).items() if key != name}
        with pytest.raises(jinja2.UndefinedError, match=name):
            fill(template, values)


@pytest.mark.parametrize("text", ["name: {{ name }}-model", "name: a{{ name }}", 'name: "{{ name }}"'])
def test_a_template_that_puts_values_together_does_not_parse(text: str) -> None:
    filled = renderer._TEMPLATES.from_string(text).render(name="x: y")
    assert not parses_to_text(filled)


def parses_to_text(filled: str) -> bool:
    """Whether the YAML is a mapping of which the value is what the template's author meant."""
    try:
        return strictly(filled)["name"] in {"x: y-model", "ax: y", "x: y"}
    except yaml.YAMLError:
        return False
