"""What `modelfleet status` draws of each state."""

from pathlib import Path
from typing import Any

import pytest

from modelfleet.cli.picture import picture, summary, table
from tests.unit.cli.states import HEALTHY, NEVER_SEEN, NOW, PLAIN, ROLLED_BACK, RUNNING, STATES, annotated, claims

PICTURES = Path(__file__).with_name("pictures")
DOCS = Path(__file__).parents[3] / "docs"
PAGES = "".join((DOCS / page).read_text() for page in ("cli.md", "regions.md"))


def drawn(body: dict[str, Any]) -> str:
    return "".join(f"{line}\n" for line in picture(body, NOW))


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_drawn_as_recorded(state: str) -> None:
    assert drawn(STATES[state]) == (PICTURES / f"{state}.txt").read_text()


def test_no_picture_is_of_a_state_that_is_gone() -> None:
    assert {path.stem for path in PICTURES.iterdir()} == set(STATES)


@pytest.mark.parametrize("state", ["canary that cannot be judged", "rolled back", "in regions"])
def test_a_page_shows_what_is_drawn(state: str) -> None:
    assert drawn(STATES[state]) in PAGES


def test_the_tree_has_one_region_below_the_name() -> None:
    lines = picture(RUNNING, NOW)
    assert lines[lines.index("claims") + 1].startswith("└── local: ")


def test_a_resource_without_spec_rollout_is_drawn_alike() -> None:
    assert drawn(PLAIN) == drawn(HEALTHY)


@pytest.mark.parametrize("step", ["9b0c1d2e3f:1", "9b0c1d2e3f"])
def test_a_command_is_shown_until_it_is_carried_out(step: str) -> None:
    assert "asked for     promote" in drawn(annotated(RUNNING, promote=step))
    done = {**RUNNING, "status": {**RUNNING["status"], "commands": {"promote": step}}}
    assert "asked for" not in drawn(annotated(done, promote=step))


@pytest.mark.parametrize("value", ["9b0c1d2e3f:2", "3fa1c2d4e5:1", ""])
def test_a_command_for_something_else_is_not_shown(value: str) -> None:
    assert "asked for" not in drawn(annotated(RUNNING, promote=value))
    assert "asked for" not in drawn(annotated(NEVER_SEEN, retry=value))


def test_a_status_of_nothing_but_what_the_schema_requires_is_drawn() -> None:
    rollout = {"revision": "9b0c1d2e3f", "phase": "Canary", "startedAt": "soon", "since": "2025-11-22T12:59:00Z"}
    status = {"phase": "Progressing", "rollout": {**rollout, "canary": {}, "analysis": {}}}
    assert "rollout of 9b0c1d2e3f: Canary, begun soon" in drawn({**HEALTHY, "status": status})


def test_models_without_a_version_are_named_without_one() -> None:
    body = claims("Healthy", "Serving", "", models=[{"name": "claims"}, {"name": "fraud", "version": "3"}])
    assert "Target:      9b0c1d2e3f, claims, fraud version 3\n" in drawn(body)


def test_a_revision_that_nothing_tells_about_is_named_alone() -> None:
    assert "Stable:      3fa1c2d4e5\n" in drawn(claims("Healthy", "Serving", "", history=[ROLLED_BACK]))


def test_the_table_has_a_line_for_each_with_dashes_for_what_is_not_known() -> None:
    lines = table([RUNNING, NEVER_SEEN], with_namespaces=False, now=NOW)
    assert " ".join(lines[0].split()) == "NAME PHASE PROGRESS MODELS TARGET STABLE WAITING FOR"
    assert lines[1].split("   ")[-1] == "CanaryRunning, until 2025-11-22T13:02:00Z (in 2m)"
    assert lines[2].split() == ["claims", "-", "-", "-", "-", "-", "-"]


def test_the_table_of_all_namespaces_names_them() -> None:
    lines = table([HEALTHY], with_namespaces=True, now=NOW)
    assert [line.split()[:2] for line in lines] == [["NAMESPACE", "NAME"], ["ml", "claims"]]


def test_the_summary_is_the_phase_and_the_message() -> None:
    assert summary(HEALTHY) == "It is Healthy: claims version 1 is served by 4 pods at http://claims.ml.svc."
    assert summary(NEVER_SEEN) == "The operator has not looked at it yet."
