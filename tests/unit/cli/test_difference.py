"""What `modelfleet diff` compares, and how it shows it."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelfleet.cli.difference import pair, unified
from modelfleet.cli.refusal import Refused
from modelfleet.core.observed import Deployment
from tests.unit.cli.states import NEW, OLD


def template(image: str, **env: str) -> dict[str, Any]:
    variables: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in env.items()]
    secret = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "key"}}}
    return {"spec": {"containers": [{"name": "server", "image": image, "env": [*variables, secret]}]}}


def deployment(revision: str, image: str, *, before: str = "", **env: str) -> Deployment:
    annotations = {
        "modelfleet.dev/revision": revision,
        "modelfleet.dev/pod-template": json.dumps(template(image, **env)),
    }
    if before:
        record = {"revision": before, "template": template(before)}
        annotations["modelfleet.dev/previous-pod-template"] = json.dumps(record)
    return Deployment({"metadata": {"annotations": annotations}})


STABLE = deployment(OLD, "server:1", before="older", LEVEL="info")
CANARY = deployment(NEW, "server:2", LEVEL="debug")


def revisions(stable: Deployment, canary: Deployment | None, revision: str = "") -> tuple[str, str]:
    before, after = pair(stable, canary, revision)
    return before.revision, after.revision


@pytest.mark.parametrize(
    ("canary", "revision", "compared"),
    [
        (CANARY, "", (OLD, NEW)),
        (CANARY, NEW, (OLD, NEW)),
        (CANARY, "older", ("older", OLD)),
        (None, "", ("older", OLD)),
        (None, "older", ("older", OLD)),
        (deployment(OLD, "server:1"), "", ("older", OLD)),
    ],
)
def test_the_older_of_two_revisions_comes_first(
    canary: Deployment | None, revision: str, compared: tuple[str, str]
) -> None:
    assert revisions(STABLE, canary, revision) == compared


@pytest.mark.parametrize(
    ("stable", "revision", "sentence"),
    [
        (STABLE, "gone", "The pods of revision gone are not recorded; those that are: 3fa1c2d4e5, older."),
        (STABLE, OLD, "Revision 3fa1c2d4e5 is the one that serves: name another, or none."),
        (deployment(OLD, "server:1"), "", "There is nothing to compare revision 3fa1c2d4e5 with"),
    ],
)
def test_what_cannot_be_compared_is_refused(stable: Deployment, revision: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        pair(stable, None, revision)


def test_the_difference_is_shown_as_yaml_with_values_and_without_what_secrets_hold() -> None:
    assert unified(*pair(STABLE, CANARY)) == [
        "--- 3fa1c2d4e5 (serves)",
        "+++ 9b0c1d2e3f (canary)",
        "@@ -2,11 +2,11 @@",
        "   containers:",
        "   - env:",
        "     - name: LEVEL",
        "-      value: info",
        "+      value: debug",
        "     - name: KEY",
        "       valueFrom:",
        "         secretKeyRef:",
        "           key: key",
        "           name: keys",
        "-    image: server:1",
        "+    image: server:2",
        "     name: server",
    ]


def test_the_same_pods_are_said_to_be_the_same() -> None:
    assert unified(*pair(STABLE, deployment(NEW, "server:1", LEVEL="info"))) == [
        "The pods of revisions 3fa1c2d4e5 and 9b0c1d2e3f are the same."
    ]


def test_the_page_shows_what_is_printed() -> None:
    page = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
    assert "\n".join(unified(*pair(STABLE, CANARY))) in page
