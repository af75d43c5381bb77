"""Everything that can go wrong outside the operator: the class of an error decides when to try again.

    ModelfleetError
    ├── Retryable              try again, later and later: nothing but time is needed
    │   ├── Unreachable        no answer: network, DNS, TLS, timeout
    │   ├── Unavailable        an answer that is none: 5xx, or not Kubernetes speaking
    │   ├── Unauthenticated    401: the credentials are being rotated, or are wrong
    │   └── Throttled          429: the server names the time
    ├── Conflict               read again and retry at once: what we acted on has changed (409)
    │   └── Expired            the version to go on from is forgotten: list again (410)
    └── Terminal               wait for the world to change: retrying the same thing cannot help
        ├── Forbidden          403: rights, quota, or a namespace that is being deleted
        ├── Invalid            the request itself, or what it would lead to, is refused: 400, 422 and their like
        ├── NotFound           404: the namespace, or the whole resource type, or the model is not there
        └── Unsupported        it is there, but in a form that cannot be served

They are made where the outside answers (the Kubernetes client, the Azure client) and nowhere else.
"""


class ModelfleetError(Exception):
    """Any error of the operator's own; its text is a sentence for a person."""


class Retryable(ModelfleetError):
    """The same attempt may succeed later; `retry_after_s` is the pause the other side asked for, if any, and
    `reason` one CamelCase word, fit for a condition.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None, reason: str = "ApplyFailed") -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.reason = reason


class Unreachable(Retryable):
    """No answer came: whether a write was carried out is unknown."""


class Unavailable(Retryable):
    """The server answered that it cannot answer now."""


class Unauthenticated(Retryable):
    """The server does not accept who we say we are."""


class Throttled(Retryable):
    """The server asks for fewer requests."""


class Conflict(ModelfleetError):
    """The object is not what it was when we read it; nothing was written."""


class Expired(Conflict):
    """The history since the version we named is gone; only a new listing tells what happened."""


class Terminal(ModelfleetError):
    """Refused for a `reason` (one CamelCase word, fit for a condition) that time alone does not change."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Forbidden(Terminal):
    """We are known, and may not do this."""


class Invalid(Terminal):
    """The API server (or an admission rule) refuses the content; the message is its own sentence."""


class NotFound(Terminal):
    """What the request needs to exist does not."""


class Unsupported(Terminal):
    """What the request needs is there, but is nothing that we can use."""
