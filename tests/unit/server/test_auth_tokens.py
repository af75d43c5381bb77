"""Tokens of an issuer like Microsoft Entra ID: which are taken, and where the keys come from."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from modelserver.auth import key_set
from modelserver.auth.authenticator import Authenticator
from modelserver.auth.keys import ApiKeys
from modelserver.auth.tokens import Tokens
from modelserver.errors import Unauthorized, Unavailable
from modelserver.settings.settings import JwtSettings
from tests.support.issuer import AUDIENCE, Issuer, new_key
from tests.support.ports import free_port
from tests.support.until import until
from tests.support.webserver import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAR_FUTURE = 4102444800  # the first second of 2100


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FILE_EVERY_S", "FILE_RARELY_S", "URL_EVERY_S", "RETRY_S", "MAX_RETRY_S"):
        monkeypatch.setattr(key_set, name, 0.01)


async def started(issuer: str, keys: str | None, api_keys: Path | None = None) -> Authenticator:
    """An authenticator that has had the time to read its keys."""
    found = Authenticator(ApiKeys(api_keys) if api_keys else None, Tokens(JwtSettings(issuer, AUDIENCE, keys)))
    found.start()
    await until(lambda: bool(found._tokens and found._tokens._keys._keys))
    return found


@pytest.fixture
async def authenticator(issuer: Issuer, tmp_path: Path) -> Authenticator:
    """One that takes the issuer's tokens, with its keys in a file."""
    file = tmp_path / "keys.json"
    file.write_bytes(issuer.key_set())
    return await started(issuer.url, str(file))


def check(authenticator: Authenticator, token: str) -> None:
    authenticator.check({b"authorization": f"Bearer {token}".encode()})


def refusal(authenticator: Authenticator, token: str) -> str:
    with pytest.raises(Unauthorized) as caught:
        check(authenticator, token)
    assert caught.value.challenge.endswith('error="invalid_token"')
    return str(caught.value)


async def test_a_valid_token_is_taken_and_verified_once(
    authenticator: Authenticator, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issuer.token()
    check(authenticator, token)
    monkeypatch.setattr(jwt, "decode", None)
    check(authenticator, token)


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"exp": 1}, "the token has expired; get a new one"),
        ({"nbf": FAR_FUTURE}, "the token is not valid yet"),
        ({"aud": "api://another"}, "the token is not for the audience api://claims"),
        ({"aud": None}, "the token lacks one of the claims exp, iss and aud"),
        ({"iss": "https://evil.example"}, "the token is not of the issuer https://login.example/tenant/v2.0"),
        ({"exp": None}, "the token lacks one of the claims exp, iss and aud"),
        ({"exp": "soon"}, "this is not a token that can be verified"),
    ],
)
async def test_a_token_that_is_not_valid_is_refused_with_why(
    authenticator: Authenticator, issuer: Issuer, claims: dict[str, Any], sentence: str
) -> None:
    assert refusal(authenticator, issuer.token(**claims)) == sentence


async def test_clocks_may_differ_a_little(authenticator: Authenticator, issuer: Issuer) -> None:
    check(authenticator, issuer.token(exp=time.time() - 5, nbf=time.time() - 100))
    check(authenticator, issuer.token(nbf=time.time() + 5))


async def test_one_of_several_audiences_is_enough(authenticator: Authenticator, issuer: Issuer) -> None:
    check(authenticator, issuer.token(aud=["api://another", AUDIENCE]))


async def test_a_token_of_somebody_else_is_refused(authenticator: Authenticator, issuer: Issuer) -> None:
    forger = Issuer(issuer.url)
    assert "not signed with a key of the issuer" in refusal(authenticator, forger.token())
    forger.keys = {"two": new_key()}
    forger.signs_with = "two"
    assert "not signed with a key of the issuer" in refusal(authenticator, forger.token())


async def test_a_token_that_was_changed_is_refused(authenticator: Authenticator, issuer: Issuer) -> None:
    head, _, signature = issuer.token().split(".")
    claims = base64.urlsafe_b64encode(json.dumps({"iss": issuer.url, "aud": AUDIENCE, "exp": 9e9}).encode())
    assert "not signed with" in refusal(authenticator, f"{head}.{claims.decode().rstrip('=')}.{signature}")


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(
    authenticator: Authenticator, issuer: Issuer
) -> None:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "one"}).encode()).decode().rstrip("=")
    _, claims, signature = issuer.token().split(".")
    assert refusal(authenticator, f"{head}.{claims}.{signature}") == "this is not a token that can be verified"


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "....", "\u00ff.\u00ff.\u00ff"])
async def test_what_is_no_token_is_refused(authenticator: Authenticator, token: str) -> None:
    with pytest.raises(Unauthorized):
        check(authenticator, token)


async def test_an_unsigned_token_is_refused(authenticator: Authenticator, issuer: Issuer) -> None:
    claims = {"iss": issuer.url, "aud": AUDIENCE, "exp": time.time() + 60}
    assert refusal(authenticator, jwt.encode(claims, "", "none")) == "this is not a token that can be verified"


async def test_a_token_is_not_taken_as_an_api_key(authenticator: Authenticator, issuer: Issuer) -> None:
    with pytest.raises(Unauthorized):
        authenticator.check({b"api-key": issuer.token().encode()})


async def test_a_token_that_was_accepted_expires_all_the_same(
    authenticator: Authenticator, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issuer.token(exp=time.time() + 60)
    check(authenticator, token)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 89)  # within the leeway
    check(authenticator, token)
    monkeypatch.setattr(time, "time", lambda: now + 91)
    monkeypatch.setattr(jwt, "decode", _expired)
    assert "expired" in refusal(authenticator, token)


def _expired(*_: object, **__: object) -> None:
    raise jwt.ExpiredSignatureError


async def test_keys_and_tokens_may_both_be_taken(issuer: Issuer, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(issuer.key_set())
    (tmp_path / "api-keys").write_text("right")
    both = await started(issuer.url, str(tmp_path / "keys.json"), tmp_path / "api-keys")
    check(both, "right")
    check(both, issuer.token())
    with pytest.raises(Unauthorized, match=r"send a key, as .* or a token of https://login.example"):
        both.check({})


# Where the keys come from


@pytest.fixture
def web(issuer: Issuer) -> Iterator[WebServer]:
    """Where the issuer publishes its keys."""
    server = WebServer(body=issuer.key_set())
    yield server
    server.close()


async def test_keys_from_a_url(issuer: Issuer, web: WebServer) -> None:
    check(await started(issuer.url, f"{web.url}/keys"), issuer.token())
    assert web.asked[0].target == "/keys"


async def test_without_a_place_the_issuer_is_asked_for_it(issuer: Issuer, web: WebServer) -> None:
    own = Issuer(f"{web.url}/tenant/", issuer.keys)
    web.bodies["/tenant/.well-known/openid-configuration"] = json.dumps({"jwks_uri": f"{web.url}/keys"}).encode()
    check(await started(own.url, None), own.token())
    assert [asked.target for asked in web.asked[:2]] == ["/tenant/.well-known/openid-configuration", "/keys"]


async def test_until_there_are_keys_trying_again_helps(issuer: Issuer, web: WebServer) -> None:
    web.status = 500
    found = Authenticator(None, Tokens(JwtSettings(issuer.url, AUDIENCE, web.url)))
    found.start()
    with pytest.raises(Unavailable, match="could not be read yet"):
        check(found, issuer.token())
    web.status = 200
    await until(lambda: accepts(found, issuer.token()))


async def test_a_new_key_is_fetched_when_a_token_names_it(issuer: Issuer, web: WebServer) -> None:
    found = await started(issuer.url, web.url)
    rotated = Issuer(issuer.url, {**issuer.keys, "two": new_key()}, "two")
    web.body = rotated.key_set()
    await until(lambda: accepts(found, rotated.token()))
    check(found, issuer.token())


async def test_a_key_that_is_withdrawn_takes_its_tokens_with_it(issuer: Issuer, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(issuer.key_set())
    found = await started(issuer.url, str(file))
    token = issuer.token()
    check(found, token)
    file.write_bytes(Issuer(issuer.url, {"two": new_key()}).key_set())
    await until(lambda: not accepts(found, token))


async def test_keys_that_cannot_be_read_any_more_stay(
    issuer: Issuer, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_set, "URL_RARELY_S", 0.02)
    found = await started(issuer.url, web.url)
    web.body = b"<html>out of order</html>"
    before = len(web.asked)
    await until(lambda: len(web.asked) > before + 2)
    check(found, issuer.token())


@pytest.mark.parametrize("body", [b"[]", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', b"\xff"])
async def test_a_document_without_usable_keys_is_told_of(
    web: WebServer, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    web.body = body
    Tokens(JwtSettings("https://issuer", AUDIENCE, web.url)).start(lambda: None)
    await until(lambda: "the keys of https://issuer cannot be read" in caplog.text)


async def test_an_issuer_that_is_not_there_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    tokens = Tokens(JwtSettings(f"http://127.0.0.1:{free_port()}", AUDIENCE, None))
    reads = []
    tokens._keys._read = lambda changed, read=tokens._keys._read: reads.append(read(changed))  # type: ignore
    tokens.start(lambda: None)
    await until(lambda: len(reads) > 2)
    assert caplog.text.count("cannot be read") == 1


def accepts(authenticator: Authenticator, token: str) -> bool:
    try:
        check(authenticator, token)
    except (Unauthorized, Unavailable):
        return False
    return True
