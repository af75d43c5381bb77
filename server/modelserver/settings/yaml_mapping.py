"""A YAML file that maps words to text, or to lists of it, with the lines where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from modelserver.settings.options import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Texts = list[str | None]


def entries(path: Path) -> Iterator[tuple[str, Texts, int]]:
    """Each key, its texts (None stands for what is no text) and its line. Raises Mistake.

    The nodes are taken as they are written: `off` is no boolean here, and 010 no 8.
    """
    try:
        with path.open() as file:
            root = yaml.compose(file, yaml.CSafeLoader)
    except OSError as error:
        raise Mistake(f"the configuration file {path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Mistake(f"the configuration file {path} is not valid YAML: {' '.join(str(error).split())}") from None
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        raise Mistake(f"the configuration file {path} is not a mapping of options to values")
    for key, value in root.value:
        yield str(key.value), _texts(value), key.start_mark.line + 1


def _texts(node: yaml.Node) -> Texts:
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    return [item.value if isinstance(item, yaml.ScalarNode) and item.value else None for item in items]
