"""What can go wrong while serving, as one tree; `status` is the HTTP answer.

Error
├── BadRequest 400          the client can mend it: malformed JSON, wrong name, type or shape
├── Unauthorized 401        the caller does not prove that it may ask
├── NotAllowed 403          the server was told not to do this for anybody
├── ModelNotFound 404       no model of that name or version is served here
├── TooLarge 413            the request is larger than the server was told to take
├── ModelFailed 500         the model raised while running on a well-formed input
├── Unsupported 501         the protocol knows it, this server does not
├── Unavailable 503         it will be there: the model is still loading, or the queue is full
├── HandlerInvalid          a handler that cannot be started, which ends the process
├── SmokeInvalid            golden samples that cannot be read, which ends the process
├── SmokeFailed             golden samples that are not answered as they should be, which ends the process
└── ModelInvalid 400        a model that cannot be loaded; at the start it ends the process
    └── ModelTooLarge 507   it would not fit into the memory that the process may use

The mapping of kinds to statuses is Triton's, which clients of the Open Inference Protocol expect.
"""

from typing import ClassVar


class Error(Exception):
    """Its text is a sentence for the person who has to mend it."""

    status: ClassVar[int] = 500


class BadRequest(Error):
    """The client can mend it."""

    status = 400


class Unauthorized(Error):
    """The caller does not prove that it may ask. `challenge` is what HTTP's header WWW-Authenticate has to say."""

    status = 401

    def __init__(self, sentence: str, *, was_presented: bool = False) -> None:
        super().__init__(sentence)
        self.challenge = 'Bearer realm="modelserver"' + (', error="invalid_token"' if was_presented else "")


class NotAllowed(Error):
    """The server was told not to do this for anybody."""

    status = 403


class ModelNotFound(Error):
    """No model of that name or version is served here."""

    status = 404


class TooLarge(Error):
    """The request is larger than the server was told to take."""

    status = 413


class ModelFailed(Error):
    """The model raised while running on a well-formed input."""

    status = 500


class Unsupported(Error):
    """The protocol knows it, this server does not."""

    status = 501


class Unavailable(Error):
    """Trying again in a moment will help."""

    status = 503


class HandlerInvalid(Error):
    """The handler's script is not there, has no init() and run(), or does not start."""


class SmokeInvalid(Error):
    """The folder of golden samples is not there, or holds something that is none."""


class SmokeFailed(Error):
    """Golden samples are not answered as they should be."""


class ModelInvalid(Error):
    """The file or folder holds no model that can be served."""

    status = 400


class ModelTooLarge(ModelInvalid):
    """It would not fit into the memory that the process may use.

    Triton has no status for this; 503 would make clients and proxies try again, which helps nobody.
    """

    status = 507
