"""Why a model could not be fetched, as one tree. The name of the class is the reason that users see.

FetchError
├── Wrong               exit code 3: as long as nobody mends it, trying again changes nothing
│   ├── ModelNotFound       there is no such blob, folder or file
│   ├── ModelInvalid        the folder cannot be stored as files
│   └── ChecksumMismatch    the content is not what --sha256 promised
├── Refused             exit code 4: somebody has to give access
│   ├── CredentialsInvalid  what was given is not a credential, or not one for this place
│   ├── CredentialsExpired  it was one, or a clock is wrong
│   └── ModelAccessDenied   storage answered 401 or 403
├── Passing             exit code 5: trying again may help, and continues where this attempt ended
│   ├── ModelChanged        the content was overwritten meanwhile, and the next attempt takes what is there then;
│   │                       or it is not what --listing says, and somebody has to resolve it anew
│   ├── StorageUnreachable  no connection: DNS, TCP, TLS or time
│   └── StorageError        storage answered, but with an error of its own
└── VolumeFull          exit code 6

Sentences are made of what is known to be harmless, never of the text of another library's exception, which may
hold a signed URL.
"""

from typing import ClassVar


class FetchError(Exception):
    """Its text is a sentence for the person on call, without secrets."""

    exit_code: ClassVar[int] = 1

    @property
    def reason(self) -> str:
        """One word that says what happened."""
        return type(self).__name__


class Wrong(FetchError):
    """As long as nobody mends it, trying again changes nothing."""

    exit_code = 3


class Refused(FetchError):
    """Somebody has to give access."""

    exit_code = 4


class Passing(FetchError):
    """Trying again may help."""

    exit_code = 5


class ModelNotFound(Wrong):
    """There is no such blob, folder or file."""


class ModelInvalid(Wrong):
    """The folder cannot be stored as files."""


class ChecksumMismatch(Wrong):
    """The content is not what was promised."""


class CredentialsInvalid(Refused):
    """What was given is not a credential, or not one for this place."""


class CredentialsExpired(Refused):
    """What was given was a credential once, or a clock is wrong."""


class ModelAccessDenied(Refused):
    """Storage answered 401 or 403."""


class ModelChanged(Passing):
    """The content was overwritten while it was being fetched, or since it was resolved."""


class StorageUnreachable(Passing):
    """No connection to storage."""


class StorageError(Passing):
    """Storage, or the volume, answered with an error of its own."""


class VolumeFull(FetchError):
    """The volume has no space left."""

    exit_code = 6
