"""What the two servers are asked, by the script that answers."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PARTS = {"Content-Type": "multipart/form-data; boundary=X"}
UPLOAD = b'--X\r\nContent-Disposition: form-data; name="a"; filename="f.txt"\r\n\r\nv\r\n--X--\r\n'
PAGE = {"Origin": "http://a.example"}
PREFLIGHT = PAGE | {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type, x-foo",
}
MATRIX = b'{"data": [[1, 2], [3, 4]]}'


@dataclass(frozen=True)
class Exchange:
    """One request, for the server with `script`."""

    script: str
    method: str
    target: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: JSON)

    def __str__(self) -> str:
        headers = "" if self.headers == JSON else str([*self.headers.items()])
        return f"{self.script} {self.method} {self.target} {self.body[:60]!r} {headers}"


def posts(script: str, *bodies: bytes, **headers: str) -> list[Exchange]:
    return [Exchange(script, "POST", "/score", body, JSON | headers) for body in bodies]


def gets(script: str, *targets: str) -> list[Exchange]:
    return [Exchange(script, "GET", target, headers={}) for target in targets]


def names(script: str, member: str) -> list[str]:
    """The keys of a table in a script that cannot be imported here."""
    source = (Path(__file__).parent / f"{script}.py").read_text()
    return re.findall(r'^    "(\w+)":', source.partition(f"{member} = {{")[2], re.MULTILINE)


def told(**what: object) -> bytes:
    return json.dumps(what).encode()


ERRORS = ("ValueError", "KeyError", "MemoryError", "TypeError", "TimeoutError", "NotImplementedError")
PLAIN = [
    *posts("plain", *(told(**{"return": name}) for name in names("plain", "VALUES"))),
    *posts("plain", *(told(**{"raise": name}) for name in ERRORS), told(sleep=5)),
    *posts("plain", b"", b"not json", b"[1]", "ü".encode(), b"\xff\xfe", b'\xef\xbb\xbf{"a": 1}', b"\x00"),
    Exchange("plain", "POST", "/score?a=1", b'{"b": 2}'),
    *(Exchange("plain", "POST", "/score", b"x", {"Content-Type": kind}) for kind in ("text/plain", "image/png")),
    Exchange("plain", "POST", "/score", b"\xfc", {"Content-Type": "application/json; charset=latin-1"}),
    *gets(
        "plain",
        "/score",
        "/score?a=1&b=x&c=1.5",
        "/score?a=1&a=x",
        "/score?a=%C3%BC&b=[1]&c=%22q%22&d={%22x%22:1}",
    ),
    *gets(
        "plain",
        "/score?a",
        "/score?a=&b=NaN&c=true&d=null&e=01&f=+1",
        "/score?return=dict",
        "/score?raise=OSError",
    ),
    *(Exchange("plain", method, "/score") for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "PATCH")),
    *(
        Exchange("plain", "POST", "/score", b"{}", JSON | origin)
        for origin in (PAGE, {"Origin": "http://b.example"})
    ),
    Exchange("plain", "OPTIONS", "/score", headers=PREFLIGHT),
    Exchange("plain", "OPTIONS", "/score", headers=PREFLIGHT | {"Origin": "http://b.example"}),
    Exchange("plain", "OPTIONS", "/score", headers=PAGE),
]
REQUEST, FORMER, CLIENT = "x-request-id", "x-ms-request-id", "x-ms-client-request-id"
IDS = [
    Exchange("plain", "POST", "/score", body, JSON | {name: f"{name[-12:]}-{'y' * size}" for name in used})
    for body, size in ((b"{}", 0), (b"{}", 87), (b"{}", 88), (b'{"raise": "OSError"}', 0))
    for used in ((REQUEST,), (FORMER,), (CLIENT,), (REQUEST, FORMER), (FORMER, CLIENT), (REQUEST, FORMER, CLIENT))
]
HEADERS = [
    *posts("headers", b"{}", **{"X-Two": "2", "x-3d": "3", "Cookie": "a=1", "User-Agent": "test"}),
    *gets("headers", "/score?a=1"),
]
NUMPY = [
    *posts(
        "numpy_schema",
        MATRIX,
        b'{"data": [[1, 2]], "method": "repr"}',
        b'{"data": [[NaN, 2]]}',
        b'{"data": [[1, 2]], "x": 1}',
    ),
    *posts("numpy_schema", b'{"data": [[1, 2]], "data": [[5, 6]]}', b'\xef\xbb\xbf{"data": [[1, 2]]}'),
    *posts("numpy_schema", b'{"data": [[1, 2]], "method": "raise"}', b'{"data": [[1, 2]], "method": "array"}'),
    *posts("numpy_schema", b'{"data": "x"}', b'{"data": null}', b'{"data": [["a"]]}', b'{"data": [[1, 2], [3]]}'),
    *posts("numpy_schema", b'{"data": [[1, 2]], "method": 5}', b'{"data": 1e400}'),
    *posts(
        "numpy_schema",
        b"",
        b"{}",
        b"[1]",
        b"null",
        b'"x"',
        b"bad",
        b'{"data": [[1]]',
        MATRIX + b" x",
        MATRIX + b"\0",
    ),
    *posts("numpy_schema", b'{"method": "x"}', b'{"Data": [[1, 2]]}', b'{"extra": 1}'),
    *(
        Exchange("numpy_schema", "POST", "/score", body, {"Content-Type": kind} if kind else {})
        for kind in ("", "text/plain", "application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json")
        for body in (MATRIX, b"")
    ),
    Exchange("numpy_schema", "POST", "/score", b"data=1", FORM),
    *gets("numpy_schema", "/score?data=[[1,2]]", "/score?data=1&data=2&method=repr", "/score?method=x", "/score"),
    *gets("numpy_schema", "/score?data=[[1,2]]&method=1", "/score?data=x"),
    *(Exchange("numpy_schema", method, "/score") for method in ("HEAD", "OPTIONS")),
]
NESTED = [
    *posts(
        "nested_schema",
        b'{"Inputs": {"a": 1, "numbers": [1, 2]}, "GlobalParameters": 2.0}',
        b'{"Inputs": {"a": "x", "numbers": [1, 2]}}',
        b'{"Inputs": {"a": 1}, "GlobalParameters": 2}',
        b'{"Inputs": [1]}',
        b'{"Inputs": {"a": 1, "more": 1}, "choice": "y", "mixed": [2, "z"]}',
        b'{"GlobalParameters": 2.0}',
        b'{"Inputs": {"a": 1}, "choice": null}',
        b'{"Inputs": {"a": 1}, "request_headers": {"X-Asked-Too": "1"}}',
        **{"X-Asked": "1"},
    )
]
RAW = [
    *(Exchange("raw", "POST", f"/score?w={name}", '{"a": "ü"}'.encode()) for name in names("raw", "ANSWERS")),
    *(Exchange("raw", method, "/score?w=seen") for method in ("GET", "HEAD", "OPTIONS", "PUT")),
    Exchange("raw", "GET", "/score?w=seen&a=1&a=2&b=%20x", headers={"Cookie": "c=1", "X-Two": "1"}),
    Exchange("raw", "POST", "/score?w=seen", b"a=b&c=%20", FORM),
    Exchange("raw", "POST", "/score?w=seen", UPLOAD, PARTS),
    Exchange("raw", "POST", "/score?w=get_json", b"bad"),
    Exchange("raw", "POST", "/score?w=get_json", b"{}", {"Content-Type": "text/plain"}),
    Exchange("raw", "POST", "/score?w=headers", b"", {"x-ms-client-request-id": "C", "x-request-id": "A"}),
    Exchange("raw", "POST", "/score?w=text", b"", PAGE),
]
VERSIONS = ("", "?version=2", "?version=3", "?version=3.1", "?version=2.0", "?version=4", "?version=x")
SWAGGER = [
    exchange
    for script in ("plain", "numpy_schema", "nested_schema", "raw")
    for exchange in gets(script, *(f"/swagger.json{version}" for version in VERSIONS))
]
COMPRESSED = JSON | {"Content-Encoding": "gzip"}
ZIPPED = gzip.compress(b'{"a": 1}', mtime=0)  # the time would be part of the test's name
# The reasons are in docs/server.md. Each with the status of Azure ML's server, and ours with what is in its body.
DIFFERENT = [
    (Exchange("plain", "POST", "/score", b'{"a": 1}', FORM), 200, 200, '"read": {"a": 1}'),
    (Exchange("plain", "POST", "/score", ZIPPED, COMPRESSED), 400, 200, '"read": {"a": 1}'),
    (
        Exchange("plain", "POST", "/score", b'{"raise": "SystemExit"}'),
        500,
        500,
        "error occurred in scoring script",
    ),
    (Exchange("numpy_schema", "POST", "/score", b"\xff"), 500, 400, "cannot be decoded as UTF-8"),
    (Exchange("numpy_schema", "POST", "/score", b"[" * 100_000), 500, 400, "could not be decoded as JSON"),
    (Exchange("raw", "POST", "/score?w=unsendable"), 500, 500, "An unexpected internal error occurred"),
    (Exchange("plain", "GET", "/nowhere"), 404, 404, "there is nothing at /nowhere"),
]
SAME = [*PLAIN, *IDS, *HEADERS, *NUMPY, *NESTED, *RAW]
