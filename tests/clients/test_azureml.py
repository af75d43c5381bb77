"""Handlers are answered for as Azure ML's own inference server does: same statuses, same bytes, same headers."""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.venvs import python
from tests.clients.azureml.exchanges import DIFFERENT, SAME, SWAGGER, Exchange
from tests.support.ports import free_port
from tests.support.server_process import serving
from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
SCRIPTS = HERE / "azureml"
REQUIREMENTS = HERE.parents[1] / "bench" / "serving" / "peers" / "azureml.txt"
VARIABLES = {"SCORING_TIMEOUT_MS": "1500", "AML_CORS_ORIGINS": "http://a.example, http://c.example"}
# What every client sends, so that scripts see the same on both servers.
USUAL = {"Host": "score.example", "Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "parity"}
COMPARED = "content-type|x-ms-run-function-failed|x-ms-.*request-id|x-own|set-cookie"
COMPARED_FOR_PAGES = f"{COMPARED}|vary|access-control-.*"
TAKEN = "x-ms-run-fn-exec-ms"
NEW = "(made by the server)"

Both = tuple[httpx.Response, httpx.Response]


@contextmanager
def azureml(script: Path, folder: Path) -> Iterator[str]:
    """The address of Azure ML's server with `script`."""
    port = free_port()
    given = ("--entry_script", str(script), "--port", str(port), "--health_port", str(port))
    command = [str(python(REQUIREMENTS)), "-m", "azureml_inference_server_http.amlserver", *given]
    environment = os.environ | VARIABLES | {"HOME": str(folder)}  # its gunicorn leaves a socket there
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}"), seconds=60)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=30).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Exchange], Both]]:
    """Asks Azure ML's server and ours, each started once for each script."""
    with ExitStack() as stack:

        @cache
        def clients(script: str) -> tuple[httpx.Client, httpx.Client]:
            path = SCRIPTS / f"{script}.py"
            theirs = stack.enter_context(azureml(path, tmp_path_factory.mktemp(script)))
            ours = stack.enter_context(serving("--handler", str(path), variables=VARIABLES)).url
            made = [httpx.Client(base_url=url, timeout=20) for url in (theirs, ours)]
            return stack.enter_context(made[0]), stack.enter_context(made[1])

        def ask(exchange: Exchange) -> Both:
            headers = USUAL | exchange.headers
            theirs, ours = (
                client.request(exchange.method, exchange.target, content=exchange.body, headers=headers)
                for client in clients(exchange.script)
            )
            return theirs, ours

        yield ask


def compared(response: httpx.Response) -> dict[str, list[str]]:
    """The headers that count, by name; ids that the server has made are all the same."""
    found: dict[str, list[str]] = {}
    wanted = COMPARED_FOR_PAGES if "origin" in response.request.headers else COMPARED
    for name, value in response.headers.multi_items():
        if re.fullmatch(wanted, name):
            is_own = name == "x-ms-request-id" and value == response.headers.get("x-request-id")
            found.setdefault(name, []).append(NEW if is_own else value)
    if TAKEN in response.headers:
        assert re.fullmatch(r"\d+\.\d{3}", response.headers[TAKEN])
        found[TAKEN] = [""]
    return found


@pytest.mark.parametrize("exchange", SAME, ids=str)
def test_the_answer_is_the_same(exchange: Exchange, both: Callable[[Exchange], Both]) -> None:
    theirs, ours = both(exchange)
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    assert compared(ours) == compared(theirs)


@pytest.mark.parametrize(("exchange", "their_status", "our_status", "part"), DIFFERENT, ids=str)
def test_a_difference_is_as_it_is_documented(
    exchange: Exchange, their_status: int, our_status: int, part: str, both: Callable[[Exchange], Both]
) -> None:
    theirs, ours = both(exchange)
    assert (theirs.status_code, ours.status_code) == (their_status, our_status)
    assert part in json.loads(ours.content).get("message", ours.text)
    assert part not in theirs.text


def without_descriptions(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_descriptions(item) for name, item in value.items() if name != "description"}
    return [without_descriptions(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("exchange", SWAGGER, ids=str)
def test_the_document_says_the_same_in_other_words(exchange: Exchange, both: Callable[[Exchange], Both]) -> None:
    theirs, ours = both(exchange)
    assert ours.status_code == theirs.status_code
    assert without_descriptions(ours.json()) == without_descriptions(theirs.json())
    assert compared(ours) == compared(theirs)
