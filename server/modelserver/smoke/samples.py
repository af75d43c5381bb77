"""The folder of golden samples, read strictly: one that was misread would prove nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from modelserver.errors import SmokeInvalid
from modelserver.settings.strict import Invalid, Loader, Member, document, each, number, section, text

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1024 * 1024  # of a file; a whole ConfigMap holds no more
MAX_NAME = 100
SUFFIXES = (".json", ".yaml", ".yml")
PATH = re.compile(r"/[!-~]*")
HEADERS = {b"content-type": b"application/json"}


@dataclass(frozen=True, slots=True)
class Sample:
    """A request to `path` (an empty one is for the caller to fill), and what has to be in its answer.

    `title` is how people find it, `The sample NAME of FILE`.
    """

    body: bytes
    response: Any
    title: str = ""
    path: str = ""
    headers: Mapping[bytes, bytes] = field(default_factory=lambda: HEADERS)
    status: int = 200
    tolerance: float = 0.001


def read(folder: Path) -> list[Sample]:
    """The samples of all files in `folder`, in the order of their names. Raises SmokeInvalid."""
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise SmokeInvalid(f"The folder of golden samples {folder} cannot be read: {error.strerror}") from None
    if not files:
        raise SmokeInvalid(
            f"The folder of golden samples {folder} is empty; put a file like claims.yaml there, "
            "with a request and its response, or start the server without --smoke"
        )
    return [sample for file in files for sample in _of_file(file)]


def invalid(title: str, mistake: str) -> SmokeInvalid:
    """The error that says what is wrong with the sample or the file that `title` names."""
    return SmokeInvalid(f"{title} cannot be used: {mistake}")


def _of_file(file: Path) -> list[Sample]:
    try:
        found = _parsed(file)
        if not found:
            raise Invalid("it holds no sample; write a request and its response")
        if isinstance(found, list):
            return [_sample(file, f"[{index}]", one) for index, one in enumerate(found)]
        return [_sample(file, "", found)]
    except Invalid as error:
        raise invalid(f"The file of golden samples {file}", str(error)) from None


def _sample(file: Path, where: str, found: object) -> Sample:
    sample = _section(where, found)
    return replace(sample, title=" ".join(filter(None, ("The sample", sample.title or where, "of", file.name))))


def _parsed(file: Path) -> object:
    if file.suffix not in SUFFIXES:
        raise Invalid(f"its name has to end in {', '.join(SUFFIXES)}; anything else belongs elsewhere")
    content = _content(file)
    if file.suffix != ".json":
        return document(content, _JsonLoader)
    try:
        return json.loads(content, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"this is not valid JSON: {error}") from None


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise Invalid(f"it cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise Invalid(f"it is larger than {MAX_BYTES} bytes; take fewer or smaller samples")
    return content


class _JsonLoader(Loader):
    """Takes the words of JSON as JSON does and all others as text: YAML would make a Boolean of `no`, a date of
    `2024-01-31`, and a text of `1e-05`, as answers may have it.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # as PyYAML has it


for _tag, _words, _beginnings in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"-?(0|[1-9]\d*)", list("-0123456789")),
    ("float", r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", list("-0123456789")),
):
    _JsonLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"({_words})\Z"), _beginnings)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Invalid(f"a key is given twice in an object with {', '.join(found)}")
    return found


# What a sample consists of


def _name(where: str, found: Any) -> str:
    if len(text(where, found)) > MAX_NAME:
        raise Invalid(f"{where} must be a text of at most {MAX_NAME} characters")
    return str(found)


def _path(where: str, found: Any) -> str:
    if not PATH.fullmatch(text(where, found)):
        raise Invalid(f"{where} must be like /v2/models/NAME/infer or /score, not {found!r}")
    return str(found)


def _header(where: str, found: Any) -> bytes:
    if not (where.isascii() and text(where, found).isascii() and found.isprintable()):
        raise Invalid(f"{where} must be a name and a text of printable ASCII")
    return str(found).encode()


def _headers(where: str, found: Any) -> dict[bytes, bytes]:
    given = each(_header)(where, found)
    return HEADERS | {name.lower().encode(): value for name, value in given.items()}


def _status(where: str, found: Any) -> int:
    if type(found) is not int or not 100 <= found <= 599:
        raise Invalid(f"{where} must be a status of HTTP, like 200, not {found!r}")
    return found


def _body(where: str, found: Any) -> bytes:
    try:
        return orjson.dumps(found)
    except orjson.JSONEncodeError as error:
        raise Invalid(f"{where} must be what JSON can say: {error}") from None


def _response(where: str, found: Any) -> Any:
    return orjson.loads(_body(where, found))


_section = section(
    Sample,
    {
        "name": Member("title", _name),
        "path": Member("path", _path),
        "headers": Member("headers", _headers),
        "request": Member("body", _body, is_needed=True),
        "response": Member("response", _response, is_needed=True),
        "status": Member("status", _status),
        "tolerance": Member("tolerance", number(0, 1)),
    },
)
