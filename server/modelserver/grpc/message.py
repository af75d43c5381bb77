"""A call and its reply, and the headers that a reply is: gRPC's codes, and its sentences with percent signs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelserver.http.message import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelserver.errors import Error
    from modelserver.models.datatypes import Buffer

    Headers = tuple[tuple[bytes, bytes], ...]


class Code(IntEnum):
    """How a call ended: those of gRPC's codes that this server uses."""

    OK = 0
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    413: Code.RESOURCE_EXHAUSTED,
    501: Code.UNIMPLEMENTED,
    503: Code.UNAVAILABLE,
    507: Code.RESOURCE_EXHAUSTED,
}
HEAD: Headers = ((b":status", b"200"), (b"content-type", b"application/grpc"))
NOT_GRPC: Headers = ((b":status", b"415"),)
OK: Headers = ((b"grpc-status", b"0"),)
# What HTTP says with Retry-After.
RETRY = (b"grpc-retry-pushback-ms", b"1000")
PRINTABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
# Clients take 8 KB of headers, of which a character may need twelve bytes.
MAX_SENTENCE = 500


@dataclass(slots=True)
class Call(Request):
    """One call: `target` is "/package.Service/Method", `headers` its metadata, `body` its message, compressed as
    `encoding` says. An inference, once it was read, is `message` and `raw`, the contents of its inputs.
    """

    encoding: str = ""
    message: Any = None
    raw: Sequence[Buffer] = ()


@dataclass(slots=True)
class Reply:
    """What a call is answered with: the pieces of a message, compressed as `encoding` says; or another code than
    OK, and why.
    """

    pieces: Sequence[Buffer] = ()
    code: Code = Code.OK
    sentence: str = ""
    encoding: str = ""

    def __len__(self) -> int:
        """The bytes of the message."""
        return sum(map(len, self.pieces))

    @classmethod
    def refusal(cls, error: Error) -> Reply:
        """What `error` is in gRPC."""
        return cls(code=CODES.get(error.status, Code.INTERNAL), sentence=str(error))

    def headers(self, request_id: str) -> Headers:
        """What comes before the message, or all that there is of a refusal."""
        headers = (*HEAD, (b"x-request-id", request_id.encode("latin-1")))
        if self.code:
            return (*headers, *self.status())
        return (*headers, (b"grpc-encoding", self.encoding.encode())) if self.encoding else headers

    def status(self) -> Headers:
        """How the call ended; for what will pass, also when to try again."""
        if not self.code:
            return OK
        sentence = quote(self.sentence[:MAX_SENTENCE], safe=PRINTABLE).encode()
        status = ((b"grpc-status", str(int(self.code)).encode()), (b"grpc-message", sentence))
        return (*status, RETRY) if self.code is Code.UNAVAILABLE else status
