"""YAML in and out."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from modelfleet.cli.yaml_text import WIDTH, NotYaml, read, written


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"a: [", " (line 1, column 5)"),
        (b"a: 1\n\tb: 2\n", " (line 2, column 1)"),
        (b"secret: *hush\n", " (line 1, column 9)"),
        (b"secret: !hush x\n", " (line 1, column 9)"),
        (b"a: 1\n---\nb: 2\n", " (line 2, column 1)"),
        (b"{[]: 1}", " (line 1, column 2)"),
        (b"\xff\xfe\xff", ""),
        (b"a: \x00", ""),
        (b"a: " + b"9" * 5000, ""),
        (b"[" * 20_000, ""),
        (b"a: !!int ''", ""),
        (b"a: !!bool hush", ""),
        (b"a: !!timestamp hush", ""),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_place_and_none_of_its_text(text: bytes, place: str) -> None:
    with pytest.raises(NotYaml) as refused:
        read(text)
    assert str(refused.value) == place


@pytest.mark.parametrize(
    ("text", "found"),
    [(b"", None), (b"a: 2021-10-05", {"a": "2021-10-05"}), (b"a: 2021-13-45", {"a": "2021-13-45"})],
)
def test_yaml_is_read_as_helm_reads_it(text: bytes, found: object) -> None:
    assert read(text) == found


def test_a_paragraph_is_wrapped_and_an_example_is_not() -> None:
    lines = written([], [f"{'words ' * 40}end.", f"  name: {'x ' * 80}"]).splitlines()
    assert all(line.startswith("#") for line in lines)
    assert [len(line) > WIDTH for line in lines] == [False] * (len(lines) - 1) + [True]


@given(st.lists(st.text()), st.dictionaries(st.text(), st.text()))
def test_nothing_in_a_comment_gets_out_of_it(comments: list[str], manifest: dict[str, str]) -> None:
    printable = ["".join(filter(str.isprintable, comment)) for comment in comments]
    assert list(yaml.safe_load_all(written([manifest], printable))) == [manifest]
