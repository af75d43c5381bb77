"""Times, trees, histories and screens."""

import io
from datetime import timedelta
from pathlib import Path

import pytest

from modelfleet.cli import times
from modelfleet.cli.history import history
from modelfleet.cli.layout import Branch, columns, tree
from modelfleet.cli.screen import Screen, printable
from tests.unit.cli.states import BACK, FIRST, HEALTHY, NEVER_SEEN, NOW

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()


class Terminal(io.StringIO):
    """Something that obeys control characters."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (130, "2m10s"),
        (7200, "2h"),
        (7322, "2h2m"),
        (90061, "1d1h"),
    ],
)
def test_a_span_has_two_units_at_most(seconds: float, text: str) -> None:
    assert times.span(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2025-11-22T12:57:50Z", "2025-11-22T12:57:50Z (2m10s ago)"),
        ("2025-11-22T14:00:00Z", "2025-11-22T14:00:00Z (in 1h)"),
        ("2025-11-22T15:00:00+01:00", "2025-11-22T15:00:00+01:00 (in 1h)"),
        ("2025-11-22T12:59:00", "2025-11-22T12:59:00 (1m ago)"),
        ("soon", "soon"),
        ("", ""),
    ],
)
def test_a_moment_is_told_with_its_distance(moment: str, text: str) -> None:
    assert times.told(moment, NOW) == text


def test_a_tree_draws_what_hangs_below() -> None:
    root = Branch("a", (Branch("b", (Branch("c"),)), Branch("d", (Branch("e"), Branch("f")))))
    assert list(tree(root)) == ["a", "├── b", "│   └── c", "└── d", "    ├── e", "    └── f"]


def test_columns_stand_below_each_other() -> None:
    assert columns([["A", "BB", "C"], ["aaa", "", "c"]]) == ["A     BB   C", "aaa   -    c"]


def test_the_history_tells_what_ended_and_what_is_rejected() -> None:
    assert "".join(f"{line}\n" for line in history(BACK, NOW)) in PAGE


def test_a_history_without_rejections_has_no_such_part() -> None:
    assert [line.split()[0] for line in history(HEALTHY, NOW)] == ["FINISHED", FIRST["finishedAt"]]


def test_an_empty_history_is_said_to_be_empty() -> None:
    assert history(NEVER_SEEN, NOW) == ["Nothing has ended yet."]


def test_a_file_gets_each_picture_once_and_no_control_characters() -> None:
    output = io.StringIO()
    screen = Screen(output)
    for picture in (["one"], ["one"], ["two", "lines"]):
        screen.show(picture)
    assert output.getvalue() == "one\n\ntwo\nlines\n"
    assert not screen.is_live


def test_a_terminal_is_cleared_once_and_drawn_over_after_that() -> None:
    output = Terminal()
    screen = Screen(output)
    screen.show(["one"])
    screen.show(["two"])
    assert screen.is_live
    assert output.getvalue() == "\x1b[2J\x1b[Hone\x1b[K\n\x1b[J" + "\x1b[Htwo\x1b[K\n\x1b[J"


def test_what_a_model_has_said_is_not_obeyed_by_the_terminal() -> None:
    assert printable(["a\x1b[2Jb\r", "c\td", "e\nf", "└ ü"]) == ["a�[2Jb�", "c       d", "e", "f", "└ ü"]
