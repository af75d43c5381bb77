"""API keys: who may ask with which headers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelserver import watch
from modelserver.auth.authenticator import Authenticator
from modelserver.auth.keys import ApiKeys
from modelserver.errors import Unauthorized
from tests.support.until import until

if TYPE_CHECKING:
    from collections.abc import Callable

    Keyed = Callable[[str], Authenticator]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "EVERY_S", 0.005)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
async def keyed(file: Path) -> Keyed:
    """A running authenticator that takes the keys in a text."""

    def make(text: str) -> Authenticator:
        file.write_text(text)
        return started(file)

    return make


def started(path: Path) -> Authenticator:
    found = Authenticator(ApiKeys(path), None)
    found.start()
    return found


def rewrite(file: Path, text: str) -> None:
    file.write_text(text)


def accepts(authenticator: Authenticator, **headers: str) -> bool:
    """Whether a request with `headers` may be answered, and would be a second time."""
    given = {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in headers.items()}
    verdicts = []
    for _ in range(2):
        try:
            authenticator.check(given)
        except Unauthorized:
            verdicts.append(False)
        else:
            verdicts.append(True)
    assert len(set(verdicts)) == 1
    return verdicts[0]


async def test_a_key_is_taken_in_each_of_its_headers(keyed: Keyed) -> None:
    authenticator = keyed("right")
    assert accepts(authenticator, authorization="Bearer right")
    assert accepts(authenticator, authorization="bearer   right")
    assert accepts(authenticator, api_key="right")
    assert accepts(authenticator, x_api_key="right")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"api_key": ""},
        {"api_key": "wrong"},
        {"api_key": "righ"},
        {"api_key": "rightt"},
        {"api_key": "Right"},
        {"api_key": "Bearer right"},
        {"api_key": "# right"},
        {"api_key": "r\u00ffght"},
        {"authorization": "right"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Basic right"},
        {"authorization": "Bearer right wrong"},
        {"cookie": "right"},
    ],
)
async def test_nothing_else_is(keyed: Keyed, headers: dict[str, str]) -> None:
    authenticator = keyed("# comment\n\nright\n")
    assert accepts(authenticator, api_key="right")
    assert not accepts(authenticator, **headers)


async def test_what_one_header_was_accepted_for_does_not_count_in_another(keyed: Keyed) -> None:
    authenticator = keyed("right\nBearer right\n")
    assert accepts(authenticator, api_key="right")
    assert not accepts(authenticator, authorization="right")


async def test_a_gateways_own_credential_is_no_hindrance(keyed: Keyed) -> None:
    authenticator = keyed("right")
    assert accepts(authenticator, authorization="Basic Z2F0ZXdheQ==", api_key="right")


async def test_several_keys_are_valid_at_once(keyed: Keyed) -> None:
    authenticator = keyed("# until June\nold\nnew\r\n")
    assert accepts(authenticator, api_key="old")
    assert accepts(authenticator, api_key="new")


async def test_the_files_of_a_folder_hold_a_key_each(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    (secret / "..data").mkdir(parents=True)
    (secret / "..data" / "hidden").write_text("hidden")
    for name in ("team-a", "team-b"):
        (secret / name).write_text(f"key-of-{name}")
    authenticator = started(secret)
    assert accepts(authenticator, api_key="key-of-team-a")
    assert accepts(authenticator, api_key="key-of-team-b")
    assert not accepts(authenticator, api_key="hidden")


async def test_keys_are_read_again_when_they_change(keyed: Keyed, file: Path) -> None:
    authenticator = keyed("old")
    assert accepts(authenticator, authorization="Bearer old")
    rewrite(file, "old\nnew")
    await until(lambda: accepts(authenticator, api_key="new"))
    assert accepts(authenticator, authorization="Bearer old")
    rewrite(file, "new")
    await until(lambda: not accepts(authenticator, authorization="Bearer old"))
    assert accepts(authenticator, api_key="new")


async def test_without_a_key_nobody_is_let_in(keyed: Keyed, caplog: pytest.LogCaptureFixture) -> None:
    authenticator = keyed("# soon\n")
    assert not accepts(authenticator, api_key="")
    assert not accepts(authenticator, authorization="Bearer ")
    assert "no API key is valid" in caplog.text


async def test_a_file_that_is_not_there_yet_lets_nobody_in(file: Path) -> None:
    authenticator = started(file)
    assert not accepts(authenticator, api_key="right")
    rewrite(file, "right")
    await until(lambda: accepts(authenticator, api_key="right"))


async def test_no_key_gets_into_a_log(keyed: Keyed, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    authenticator = keyed("hunter2")
    assert accepts(authenticator, api_key="hunter2")
    with pytest.raises(Unauthorized) as caught:
        authenticator.check({b"api-key": b"hunter3"})
    assert "hunter" not in caplog.text + str(caught.value)


async def test_the_refusal_says_what_to_send(keyed: Keyed) -> None:
    authenticator = keyed("right")
    with pytest.raises(
        Unauthorized, match="send a key, as 'Authorization: Bearer KEY' or 'api-key: KEY'"
    ) as nothing:
        authenticator.check({})
    with pytest.raises(Unauthorized, match="this is not a key that the server takes") as wrong:
        authenticator.check({b"api-key": b"wrong"})
    assert nothing.value.challenge == 'Bearer realm="modelserver"'
    assert wrong.value.challenge == 'Bearer realm="modelserver", error="invalid_token"'


async def test_many_callers_do_not_fill_the_memory(keyed: Keyed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelserver.auth.authenticator.REMEMBERED", 10)
    authenticator = keyed("right")
    for spaces in range(1, 100):
        authenticator.check({b"authorization": b"Bearer" + b" " * spaces + b"right"})
    assert all(len(accepted) <= 10 for accepted in authenticator._accepted.values())
