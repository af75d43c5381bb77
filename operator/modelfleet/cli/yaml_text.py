"""YAML as people write it, in and out, with comments and without any of it in error messages: it may be secret."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from modelfleet.core.manifest import Manifest

WIDTH = 110
_WRAPPER = textwrap.TextWrapper(WIDTH - 2, break_long_words=False, break_on_hyphens=False)
# What PyYAML raises besides its own errors, where a tag says one thing and the value another.
_SURPRISES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_DATE = "tag:yaml.org,2002:timestamp"


class NotYaml(ValueError):
    """What was read is not one YAML document; the text says where, and is empty where nobody knows."""


class _Loader(yaml.SafeLoader):
    """Reads dates as text, as Helm and Kubernetes do."""

    yaml_implicit_resolvers = {  # noqa: RUF012  as PyYAML declares it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _DATE]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read(text: bytes) -> Any:
    """Return what the only document in ``text`` holds; None if there is none. Raises NotYaml."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        raise NotYaml(_place(error)) from None
    except (yaml.YAMLError, *_SURPRISES):
        raise NotYaml from None


def written(manifests: Iterable[Manifest], comments: Iterable[str] = ()) -> str:
    """Return the manifests as YAML documents below the comments, each of which is a paragraph or an example.

    What starts with a blank is an example, and stays as it is.
    """
    head = "#\n".join(_comment(paragraph) for paragraph in comments)
    return head + yaml.safe_dump_all(manifests, sort_keys=False, width=WIDTH, explicit_start=bool(head))


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""


def _comment(paragraph: str) -> str:
    is_example = paragraph.startswith(" ")
    lines = paragraph.splitlines() if is_example else _WRAPPER.wrap(paragraph)
    return "".join(f"# {line}\n" for line in lines)
