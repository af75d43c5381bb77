"""Whatever reason a description is refused for stands in docs/clusters.md, and no other does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
INVENTORY = REPOSITORY / "operator/modelfleet/core/inventory"
TABLE = (REPOSITORY / "docs/clusters.md").read_text().partition("## What is refused")[2].partition("\n## ")[0]
WORDS = re.compile(r"[A-Z][a-z]+([A-Z][a-z]+)*")
# Some are told to the function that refuses.
PASSED_ON = re.compile(r"[A-Z][A-Za-z]+(Invalid|TooLarge)")
# These concern what join would overwrite, and are no states of a description.
OF_JOINING = {"Described", "Foreign", "OtherServer"}


def reasons() -> Iterator[str]:
    for path in INVENTORY.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call):
                pattern = WORDS if getattr(call.func, "id", "") == "Unusable" else PASSED_ON
                texts = (each.value for each in call.args if isinstance(each, ast.Constant))
                yield from (text for text in texts if isinstance(text, str) and pattern.fullmatch(text))


def test_the_table_has_all_reasons() -> None:
    first_cells = [line.split("|")[1] for line in TABLE.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`(\w+)`", " ".join(first_cells))) == set(reasons()) - OF_JOINING
