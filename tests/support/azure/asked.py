"""What was asked of the control plane and what it answers, faults included."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request, by the name of the host that it was meant for."""

    method: str
    host: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.method} https://{self.host}{self.target}"

    @property
    def path(self) -> str:
        """The path without the query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The first value of each parameter."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True)
class Answer:
    """A status and what is written as JSON, or a text or bytes as they are."""

    status: int
    body: object
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def payload(self) -> bytes:
        """The body as it is sent."""
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


SILENCE = Answer(0, "the client is left waiting until it goes")
HANGS_UP = Answer(0, "the connection ends")
STALLS = Answer(0, "the client is left waiting for the rest of the answer")
BREAKS_OFF = Answer(0, "the connection ends within the answer")


def error(status: int, code: str, message: str, **headers: str) -> Answer:
    """An error in the shape that Azure Resource Manager has for all of them."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"error": {"code": code, "message": message}}, named)


def storage_error(status: int, code: str, message: str, detail: str = "") -> Answer:
    """An error in the shape that storage has for all of them; some tell a detail."""
    more = f"<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail>" if detail else ""
    said = f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    body = f'<?xml version="1.0" encoding="utf-8"?>{said}'
    return Answer(status, body, {"Content-Type": "application/xml", "x-ms-error-code": code})


@dataclass
class Fault:
    """What is answered to requests whose text matches `pattern`, so many `times`."""

    pattern: str
    answer: Answer
    times: int = 1_000_000

    def meets(self, asked: Asked) -> bool:
        """Whether it happens to this request; it has then happened once more."""
        if self.times <= 0 or not re.search(self.pattern, str(asked)):
            return False
        self.times -= 1
        return True
