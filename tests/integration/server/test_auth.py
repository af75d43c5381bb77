"""A running server that asks who wants to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest

from tests.support import onnx_models
from tests.support.grpc_calls import infer
from tests.support.issuer import AUDIENCE, Issuer
from tests.support.onnx_models import saved
from tests.support.server_process import serving
from tests.support.until import wait_until

if TYPE_CHECKING:
    from pathlib import Path

BODY = {"data": [[1, 2]]}


@pytest.fixture
def model(tmp_path: Path) -> str:
    return f"--model=double={saved(onnx_models.double(['N', 2]), tmp_path / 'double.onnx')}"


def test_keys_are_asked_for_and_rotated(model: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("old\n")
    with serving(model, f"--api-keys={keys}") as server:

        def status(key: str) -> int:
            return server.client.post("/score", json=BODY, headers={"api-key": key}).status_code

        assert (status("old"), status("new")) == (200, 401)
        keys.write_text("old\nnew\n")
        wait_until(lambda: status("new") == 200)
        assert status("old") == 200
        keys.write_text("new\n")
        wait_until(lambda: status("old") == 401)
        assert "old" not in str(server.log)


def test_without_a_key_only_probes_and_metrics_are_answered(model: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("right")
    with serving(model, f"--api-keys={tmp_path / 'keys'}") as server:
        refusal = server.client.post("/score", json=BODY)
        assert (refusal.status_code, refusal.headers["www-authenticate"]) == (401, 'Bearer realm="modelserver"')
        assert refusal.json() == {"message": "send a key, as 'Authorization: Bearer KEY' or 'api-key: KEY'"}
        assert "error" in server.client.get("/v2").json()
        for path in ("/", "/healthcheck", "/metrics", "/v2/health/ready", "/v2/models/double/ready"):
            assert server.client.get(path).status_code == 200


def test_calls_are_refused_alike(model: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("right")
    with serving(model, f"--api-keys={tmp_path / 'keys'}") as server:
        with pytest.raises(grpc.RpcError) as caught:
            infer(server, "double", "x", [[1, 2]])
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert infer(server, "double", "x", [[1, 2]], {"authorization": "Bearer right"}) == [2, 4]


def test_tokens_of_the_issuer_are_taken(model: str, tmp_path: Path) -> None:
    issuer = Issuer()
    (tmp_path / "keys.json").write_bytes(issuer.key_set())
    arguments = [
        f"--jwt-issuer={issuer.url}",
        f"--jwt-audience={AUDIENCE}",
        f"--jwt-keys={tmp_path / 'keys.json'}",
    ]
    with serving(model, *arguments) as server:

        def status(token: str) -> int:
            headers = {"authorization": f"Bearer {token}"}
            return server.client.post("/score", json=BODY, headers=headers).status_code

        wait_until(lambda: status(issuer.token()) == 200)
        assert status(issuer.token(exp=1)) == 401
        assert status(issuer.token(aud="api://another")) == 401
        assert "Bearer" not in str(server.log)
