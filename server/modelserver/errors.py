"""What can go wrong while serving, as one tree; `status` is the HTTP answer.

Error
├── BadRequest 400          the client can mend it: malformed JSON, wrong name, type or shape
├── ModelNotFound 404       no model of that name or version is served here
├── TooLarge 413            the request is larger than the server was told to take
├── ModelFailed 500         the model raised while running on a well-formed input
├── Unsupported 501         the protocol knows it, this server does not
├── Unavailable 503         it will be there: the model is still loading, or the queue is full
└── ModelInvalid            a model that cannot be loaded; never answered, it ends the process

The mapping of kinds to statuses is Triton's, which clients of the Open Inference Protocol expect.
"""

from typing import ClassVar


class Error(Exception):
    """Its text is a sentence for the person who has to mend it."""

    status: ClassVar[int] = 500


class BadRequest(Error):
    """The client can mend it."""

    status = 400


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


class ModelInvalid(Error):
    """The file or folder holds no model that can be served."""
