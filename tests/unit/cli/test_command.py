"""The command modelfleet, as it is called."""

import io
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelfleet.cli.main import main
from tests.unit.cli.releases import FULL, PASSWORD, release

ROOT = Path(__file__).parents[3]


@pytest.fixture
def values(tmp_path: Path) -> Path:
    """A file with the values of a release."""
    return file_with(tmp_path, yaml.safe_dump(FULL))


def file_with(folder: Path, text: str) -> Path:
    path = folder / "values.yaml"
    path.write_text(text)
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is said on stderr by a command that prints nothing else and ends with 2."""
    assert main(["import", "helm-values", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def imported(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[Any]:
    """The documents that the command prints."""
    assert main(["import", "helm-values", *arguments]) == 0
    return list(yaml.safe_load_all(capsys.readouterr().out))


def test_a_file_becomes_a_model_deployment(capsys: pytest.CaptureFixture[str], values: Path) -> None:
    documents = imported(capsys, str(values), "--model", "claims:3", "--name", "api", "--namespace", "ml")
    assert [document["kind"] for document in documents] == ["ModelDeployment"]
    assert documents[0]["metadata"] == {"name": "api", "namespace": "ml"}
    assert documents[0]["spec"]["model"] == {"name": "claims", "version": "3"}


def test_several_models_are_given_one_by_one(capsys: pytest.CaptureFixture[str], values: Path) -> None:
    documents = imported(capsys, str(values), "--model", "claims", "--model", "fraud:2")
    assert [model["name"] for model in documents[0]["spec"]["models"]] == ["claims", "fraud"]


def test_an_autoscaler_is_a_document_of_its_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    values = file_with(tmp_path, yaml.safe_dump(release(autoscaling={"enabled": True})))
    kinds = [document["kind"] for document in imported(capsys, str(values), "--model", "claims")]
    assert kinds == ["ModelDeployment", "HorizontalPodAutoscaler"]


def test_a_dash_reads_what_helm_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = io.TextIOWrapper(io.BytesIO(f"USER-SUPPLIED VALUES:\n{yaml.safe_dump(FULL)}".encode()))
    monkeypatch.setattr(sys, "stdin", printed)
    assert imported(capsys, "-", "--model", "claims")[0]["metadata"] == {"name": "claims"}


def test_what_is_left_out_is_told_line_by_line_and_in_comments(
    capsys: pytest.CaptureFixture[str], values: Path
) -> None:
    main(["import", "helm-values", str(values), "--model", "claims"])
    said = capsys.readouterr()
    sentences = said.err.splitlines()
    assert all(sentence.startswith("modelfleet: ") and sentence.endswith(".") for sentence in sentences)
    comments = said.out.replace("\n# ", " ")
    assert all(sentence.removeprefix("modelfleet: ") in comments for sentence in sentences)


def test_the_client_secret_is_printed_nowhere(capsys: pytest.CaptureFixture[str], values: Path) -> None:
    main(["import", "helm-values", str(values), "--model", "claims"])
    said = capsys.readouterr()
    assert PASSWORD not in said.out + said.err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"amlargs: {{azureMlServicePrincipalPassword: {PASSWORD}", "is not a YAML document (line 1, column"),
        (f"password: *{PASSWORD}", "is not a YAML document (line 1, column"),
        ("- a\n- b\n", "holds no values: write names and values"),
        ("text", "holds no values: write names and values"),
        ("", "amlargs.azureMlWorkspaceName is missing."),
    ],
)
def test_what_holds_no_values_is_refused_in_a_sentence_without_what_is_in_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, sentence: str
) -> None:
    said = refused(capsys, str(file_with(tmp_path, text)), "--model", "claims")
    assert sentence in said
    assert PASSWORD not in said


def test_a_file_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    assert refused(capsys, str(missing)) == f"modelfleet: {missing} cannot be read: No such file or directory.\n"


def test_that_no_model_is_named_is_said(capsys: pytest.CaptureFixture[str], values: Path) -> None:
    assert refused(capsys, str(values)).startswith(
        "modelfleet: No model is named, and the values name none either"
    )


@pytest.mark.parametrize("arguments", [[], ["import"], ["import", "helm-values"], ["export"]])
def test_a_command_that_is_not_complete_says_how_it_is_used(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: modelfleet" in capsys.readouterr().err


def test_help_tells_how_to_get_the_values(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "helm-values", "--help"])
    assert "helm get values RELEASE" in capsys.readouterr().out


def test_the_package_brings_the_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == dict.fromkeys(("modelfleet", "kubectl-modelfleet"), "modelfleet.cli.main:main")
