"""The command line: what it takes and how it refuses."""

from pathlib import Path

import pytest

from modelserver.settings import ModelSource, parse


def test_one_model_is_all_that_has_to_be_said() -> None:
    settings = parse(["--model", "claims=/models/claims"])
    assert settings.models == (ModelSource("claims", "1", Path("/models/claims")),)
    assert (settings.host, settings.port) == ("0.0.0.0", 5000)


def test_several_models_and_versions_keep_their_order() -> None:
    settings = parse(["--model", "a.b-c_1:2024-05.x=/m/a=b", "--model", "a.b-c_1:1=rel/path"])
    assert settings.models == (
        ModelSource("a.b-c_1", "2024-05.x", Path("/m/a=b")),
        ModelSource("a.b-c_1", "1", Path("rel/path")),
    )


@pytest.mark.parametrize("text", ["claims", "=path", "claims=", "-x=path", "a b=path", "a:=path", "a/b=path"])
def test_a_model_that_cannot_be_understood_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([f"--model={text}"])
    assert ended.value.code == 2
    assert "NAME=PATH" in capsys.readouterr().err


def test_the_same_model_twice_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--model", "a=/x", "--model", "a:1=/y"])
    assert "same name and version" in capsys.readouterr().err


def test_no_model_is_refused() -> None:
    with pytest.raises(SystemExit):
        parse([])


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    for option in ("--model", "--port", "--host", "--request-timeout", "--max-body", "--termination-log"):
        assert option in text
