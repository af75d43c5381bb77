"""What the command line, the environment and the YAML file say, and how mistakes in them are refused."""

from __future__ import annotations

import re
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import pytest

from modelserver.settings.cpus import usable_cpus
from modelserver.settings.memory import memory_limit
from modelserver.settings.options import CONFIG, OPTIONS, Option
from modelserver.settings.settings import HandlerSource, JwtSettings, ModelSource, parse

MODEL = ("--model", "m=/m")


def mistake(capsys: pytest.CaptureFixture[str], *arguments: str, **environment: str) -> str:
    """The last line that is printed instead of starting."""
    with pytest.raises(SystemExit) as ended:
        parse(arguments, environment)
    assert ended.value.code == 2
    return " ".join(capsys.readouterr().err.partition("modelserver: error: ")[2].split())


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_one_model_is_all_that_has_to_be_said() -> None:
    settings = parse(["--model", "claims=/models/claims"], {})
    assert settings.models == (ModelSource("claims", "1", Path("/models/claims")),)
    assert (settings.host, settings.port, settings.grpc_port) == ("0.0.0.0", 5000, 5001)
    assert (settings.max_body_bytes, settings.request_timeout_s, settings.shutdown_delay_s) == (64 * 2**20, 30, 2)
    assert (settings.model_control, settings.models_dir, settings.handler, settings.jwt) == (
        False,
        None,
        None,
        None,
    )


def test_several_models_and_versions_keep_their_order() -> None:
    settings = parse(["--model", "a.b-c_1:2024-05.x=/m/a=b", "--model", "a.b-c_1:1=rel/path"], {})
    assert settings.models == (
        ModelSource("a.b-c_1", "2024-05.x", Path("/m/a=b")),
        ModelSource("a.b-c_1", "1", Path("rel/path")),
    )


@pytest.mark.parametrize("text", ["claims", "=path", "claims=", "-x=path", "a b=path", "a:=path", "a/b=path"])
def test_a_model_that_cannot_be_understood_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "NAME=PATH" in mistake(capsys, f"--model={text}")


def test_the_same_model_twice_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "same name and version" in mistake(capsys, "--model", "a=/x", "--model", "a:1=/y")


def test_nothing_to_serve_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing to serve: give --model NAME=PATH, --models-dir DIR or --handler PATH" in mistake(capsys)


def test_a_handler_needs_no_model_and_is_called_like_its_file_or_folder() -> None:
    assert parse(["--handler", "/code/score.py"], {}).handler == HandlerSource("score", Path("/code/score.py"))
    assert parse(["--handler", "/code"], {}).handler == HandlerSource("code", Path("/code"))
    assert parse(["--handler", "claims=/code"], {}).handler == HandlerSource("claims", Path("/code"))


# Where values come from


def test_the_command_line_wins_over_the_environment_over_the_file_over_defaults(tmp_path: Path) -> None:
    file = written(tmp_path / "c.yaml", "port: 1\nhost: file\nmax-body: 1Mi\nmodel: [f=/f, g:2=/g]\n")
    settings = parse(
        ["--port", "3"], {"MODELSERVER_CONFIG": file, "MODELSERVER_PORT": "2", "MODELSERVER_HOST": "environment"}
    )
    assert (settings.port, settings.host, settings.max_body_bytes) == (3, "environment", 2**20)
    assert [model.name for model in settings.models] == ["f", "g"]
    assert settings.request_timeout_s == 30


def test_models_of_one_source_replace_those_of_the_other(tmp_path: Path) -> None:
    file = written(tmp_path / "c.yaml", "model: f=/f\n")
    environment = {"MODELSERVER_MODEL": "a=/a, b:2=/b"}
    assert [model.name for model in parse(["--config", file], {}).models] == ["f"]
    assert [model.name for model in parse(["--config", file], environment).models] == ["a", "b"]
    assert [model.name for model in parse([*MODEL, "--config", file], environment).models] == ["m"]


@pytest.mark.parametrize("option", [CONFIG, *OPTIONS], ids=attrgetter("key"))
def test_help_explains_every_option(option: Option, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--help"], {})
    assert ended.value.code == 0
    assert re.search(rf"^  {option.name} ", capsys.readouterr().out, re.MULTILINE)


def test_a_variable_without_text_and_the_link_to_a_service_of_that_name_count_as_not_given() -> None:
    settings = parse(MODEL, {"MODELSERVER_PORT": "tcp://10.0.0.7:80", "MODELSERVER_HOST": ""})
    assert (settings.port, settings.host) == (5000, "0.0.0.0")


def test_off_in_the_file_is_a_word_and_an_empty_file_is_none(tmp_path: Path) -> None:
    file = written(tmp_path / "c.yaml", "grpc-port: off\n")
    assert parse([*MODEL, "--config", file], {}).grpc_port is None
    assert parse([*MODEL, "--config", written(tmp_path / "empty.yaml", "# nothing\n")], {}).grpc_port == 5001


# Values


def test_limits_come_from_the_container_unless_given() -> None:
    settings = parse(MODEL, {})
    assert (settings.threads, settings.memory_limit_bytes) == (usable_cpus(), memory_limit())
    settings = parse([*MODEL, "--threads=3", "--memory-limit=1.5Gi"], {})
    assert (settings.threads, settings.memory_limit_bytes) == (3, 3 * 2**29)
    assert parse([*MODEL, "--memory-limit=off"], {}).memory_limit_bytes is None


def test_tokens_are_checked_when_an_issuer_is_named() -> None:
    settings = parse([*MODEL, "--jwt-issuer=https://i", "--jwt-audience=a", "--jwt-keys=/keys.json"], {})
    assert settings.jwt == JwtSettings("https://i", "a", "/keys.json")


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--port", "http", "'http' is not a port: a number from 0 (a free one) to 65535"),
        ("--port", "65536", "is not a port"),
        ("--port", "-1", "is not a port"),
        ("--grpc-port", "no", "is not a port"),
        ("--request-timeout", "0", "'0' is not a time"),
        ("--request-timeout", "inf", "is not a time"),
        ("--request-timeout", "soon", "is not a time"),
        ("--max-body", "64", "is not a size: a number above 0 with a unit, like 64Mi"),
        ("--max-body", "0Mi", "is not a size"),
        ("--max-body", "64 MB", "is not a size"),
        ("--threads", "0", "is not a whole number from 1 up"),
        ("--model-control", "poll", "is neither 'none' nor 'explicit'"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_where_it_was_given(
    option: str, value: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = option.removeprefix("--")
    variable = "MODELSERVER_" + key.replace("-", "_").upper()
    file = written(tmp_path / "c.yaml", f"model: m=/m\n\n{key}: '{value}'\n")
    for source, said in [
        (f"argument {option}: ", mistake(capsys, *MODEL, f"{option}={value}")),
        (f"{variable}: ", mistake(capsys, *MODEL, **{variable: value})),
        (f"{file}, line 3, {key}: ", mistake(capsys, "--config", file)),
    ]:
        assert said.startswith(source)
        assert sentence in said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("prot: 80", "line 1, prot: there is no such option; there is model, models-dir"),
        ("port: 80\nport: 81", "line 2, port: it is given twice"),
        ("port: [80, 81]", "line 1, port: one text or number is expected, PORT"),
        ("port: {http: 80}", "line 1, port: one text or number is expected, PORT"),
        ("host:", "line 1, host: one text or number is expected, ADDRESS"),
        ("model: [[a=/a]]", "line 1, model: a text or a list of them is expected, NAME[:VERSION]=PATH"),
        ("config: other.yaml", "line 1, config: there is no such option"),
        ("- port", "is not a mapping"),
        ("port: [", "is not valid YAML"),
        ("\x00", "is not valid YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    text: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence in mistake(capsys, *MODEL, "--config", written(tmp_path / "c.yaml", text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = mistake(capsys, *MODEL, "--config", str(tmp_path / "none.yaml"))
    assert "none.yaml cannot be read: No such file" in said


@pytest.mark.parametrize(
    "arguments", [("--jwt-issuer=i",), ("--jwt-audience=a",), ("--jwt-keys=k",)], ids=lambda given: str(given[0])
)
def test_half_of_what_tokens_need_is_refused(arguments: tuple[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "--jwt-issuer" in mistake(capsys, *MODEL, *arguments)


def test_a_start_without_a_file_does_not_load_a_yaml_parser() -> None:
    program = (
        "import sys; from modelserver.settings import settings; "
        "settings.parse(['--model=a=/a'], {}); print('yaml' in sys.modules)"
    )
    server = str(Path(__file__).parents[3] / "server")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONPATH": server}
    )
    assert done.stdout == "False\n"
