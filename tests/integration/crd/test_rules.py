"""What the API server accepts and refuses, and in which words.

Each document in invalid/ breaks one rule and says in a comment what the refusal has to contain; the file of the
same name in valid/ shows how it is written instead.
"""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from crds import generate, page
from tests.support.kubectl import Kubectl

HERE = Path(__file__).parent
SAMPLES = HERE.parents[2] / "manifests" / "samples"
EXPECT = "# expect: "
RULES = set(page.messages(page.schema_of(yaml.safe_load(generate.TARGET.read_text()))))

Apply = Callable[..., CompletedProcess[str]]


@pytest.fixture
def apply(control_plane: Path) -> Apply:
    """kubectl apply of a text, as far as the API server's answer."""
    kubectl = Kubectl(control_plane)
    return lambda text, *options: kubectl.run("apply", "--dry-run=server", "-f", "-", *options, stdin=text)


def documents(folder: str) -> list[object]:
    """One test for each document, named after its file."""
    return [
        pytest.param(text, id=f"{file.stem}-{number}")
        for file in sorted((HERE / folder).glob("*.yaml"))
        for number, text in enumerate(file.read_text().split("---\n"), start=1)
    ]


def expectation(document: str) -> str:
    return document.partition("\n")[0].removeprefix(EXPECT)


@pytest.mark.parametrize("document", documents("valid"))
def test_the_api_server_accepts(apply: Apply, document: str) -> None:
    for finished in (apply(document), apply(document, "--server-side")):
        assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("document", documents("invalid"))
def test_the_api_server_refuses_and_says_what_to_write(apply: Apply, document: str) -> None:
    refused = apply(document)
    assert refused.returncode != 0
    assert expectation(document) in refused.stderr
    assert sum(rule in refused.stderr for rule in RULES) <= 1, "one mistake breaks one rule"
    assert apply(document, "--server-side").returncode != 0


def test_each_rule_has_a_document_that_breaks_it() -> None:
    texts = [text for file in (HERE / "invalid").glob("*.yaml") for text in file.read_text().split("---\n")]
    expected = [expectation(text) for text in texts]
    assert [rule for rule in RULES if not any(part in rule for part in expected)] == []


def test_each_refusal_has_its_counterpart() -> None:
    valid, invalid = ({file.name for file in (HERE / folder).iterdir()} for folder in ("valid", "invalid"))
    assert valid == invalid


@pytest.mark.parametrize(
    "secret",
    ['uri: "https://example.com/claims.onnx?sig=hush"', 'uri: "https://user:hush@example.com/claims.onnx"'],
)
def test_a_refusal_does_not_repeat_a_secret(apply: Apply, secret: str) -> None:
    document = (HERE / "valid" / "required.yaml").read_text()
    refused = apply(document.replace('uri: "https://acct.blob.core.windows.net/models/claims/3/"', secret))
    assert "put" in refused.stderr
    assert "hush" not in refused.stderr


def test_a_refusal_of_the_whole_spec_does_not_repeat_a_secret(apply: Apply) -> None:
    document = (HERE / "valid" / "required.yaml").read_text()
    refused = apply(document.replace("3/", "claims.onnx?sig=hush") + "  workspace: {registry: claims-registry}\n")
    assert "leave spec.workspace out" in refused.stderr
    assert "hush" not in refused.stderr


def test_the_api_server_accepts_the_example_of_the_page(apply: Apply) -> None:
    example = page.PATH.read_text().partition("```yaml\n")[2].partition("```")[0]
    finished = apply(example)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.yaml")), ids=lambda sample: sample.stem)
def test_the_api_server_accepts_the_sample(apply: Apply, sample: Path) -> None:
    finished = apply(sample.read_text())
    assert finished.returncode == 0, finished.stderr
