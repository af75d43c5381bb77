"""Which error of the core it is that the Azure SDKs raise; what it then says is in `refusals` and `entra`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from modelfleet.aml import entra, refusals
from modelfleet.aml.refusals import Asked
from modelfleet.core.errors import ModelfleetError

_CODE = re.compile(r"[A-Z][A-Za-z0-9]{2,63}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")
# MSAL tells the status of an answer in words only.
_STATUS_OF_MSAL = re.compile(r"\bHTTP (?:Error|status): (429|5\d\d)\b")
# Codes of Azure Resource Manager and of registries for what contains the thing that was asked for.
_PLACES = frozenset({"SubscriptionNotFound", "ResourceGroupNotFound", "RegistryNotFound"})
# What storage writes into AuthenticationErrorDetail where the clocks differ by more than a quarter of an hour.
_OLD = "Request date header too old"
_PLACE = re.compile(r"'Microsoft\.MachineLearningServices/(workspaces|registries)/[^/']+'", re.IGNORECASE)
# What is known of a connection that failed, by the exceptions of requests, urllib3 and the standard library.
_TIMEOUT = "ReadTimeoutError"
_WHY: Mapping[str, str] = {
    "NameResolutionError": "its name cannot be resolved",
    "SSLCertVerificationError": "its certificate is not trusted",
    "RemoteDisconnected": "the connection ended before the answer",
    "ConnectionResetError": "the connection ended before the answer",
    "SSLEOFError": "the connection ended before the answer",
    "IncompleteRead": "the connection ended within the answer",
    "NewConnectionError": "no connection can be made",
    "ProxyError": "the proxy does not lead there",
    "SSLError": "no encryption could be agreed on",
}


@contextmanager
def translated(asked: Asked) -> Iterator[None]:
    """Raise whatever is raised inside as the error of the core that says what to do."""
    try:
        yield
    except ModelfleetError:
        raise
    except Exception as error:
        raise _translation(asked, error) from None


def _translation(asked: Asked, error: Exception) -> ModelfleetError:
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415  # see clients.py

    for link in _chain(error):
        if said := _passing(asked, link) or _about_the_token(asked, link) or _about_the_answer(asked, link):
            return said
    if isinstance(error, ClientAuthenticationError):
        return entra.refusal(asked.identity, "", "")
    return refusals.refused(asked, type(error).__name__)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and what it was raised from: azure-identity makes a refusal even of a missing network."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _passing(asked: Asked, error: BaseException) -> ModelfleetError | None:
    """Return the error if there was no answer, or one that says to come back."""
    if said := _no_answer(asked, error):
        return said
    status, response = _status(error), getattr(error, "response", None)
    if status == 429:
        return refusals.throttled(asked, _answering(response), _retry_after(response))
    if status >= 500 or status == 408:
        return refusals.unavailable(asked, _answering(response), _label(error), _retry_after(response))
    return None


def _no_answer(asked: Asked, error: BaseException) -> ModelfleetError | None:
    from azure.core import exceptions  # noqa: PLC0415  # see clients.py

    inner = getattr(error, "inner_exception", None)
    is_cut_off = isinstance(error, exceptions.HttpResponseError) and isinstance(inner, OSError)
    if not is_cut_off and not isinstance(error, exceptions.ServiceRequestError | exceptions.ServiceResponseError):
        return None
    host = next(iter(getattr(error, "__notes__", ())), "") or "Azure"  # see clients.py
    names = list(_names(inner))
    if isinstance(error, exceptions.ServiceResponseTimeoutError) or _TIMEOUT in names:
        return refusals.too_slow(asked, host)
    return refusals.unreachable(
        asked, host, next((_WHY[name] for name in names if name in _WHY), "nothing answers")
    )


def _names(error: object) -> Iterator[str]:
    """Yield the names of the exceptions that are one within the other, the innermost first."""
    if isinstance(error, BaseException):
        for within in (*error.args, getattr(error, "reason", None)):
            yield from _names(within)
        yield type(error).__name__


def _about_the_token(asked: Asked, error: BaseException) -> ModelfleetError | None:
    """Return the error if there was no token to ask with."""
    if code := entra.code_in(str(error)):
        return entra.refusal(asked.identity, code, str(error))
    if isinstance(error, OSError) and isinstance(error.filename, str):
        return refusals.without_token_file(asked, error.filename, type(error).__name__)
    return None


def _about_the_answer(asked: Asked, error: BaseException) -> ModelfleetError | None:
    status, code = _status(error), _code(error)
    if _is_missing(error):
        return _missing(asked, code, str(error))
    if status == 401 or (status == 403 and code in {"AuthenticationFailed", "InvalidAuthenticationInfo"}):
        is_old = _OLD in str(error)
        return refusals.clock(asked, _label(error)) if is_old else refusals.unauthorized(asked, _label(error))
    if status == 403:
        return refusals.denied(asked, _container(error), _label(error))
    return refusals.refused(asked, _label(error)) if status >= 400 else None


def _is_missing(error: BaseException) -> bool:
    from azure.ai.ml.exceptions import ValidationErrorType, ValidationException  # noqa: PLC0415  # see clients.py

    # The newest version of a model that has none is no answer 404, but a complaint of the SDK.
    if isinstance(error, ValidationException):
        return bool(error.error_type == ValidationErrorType.RESOURCE_NOT_FOUND)
    return _status(error) == 404


def _missing(asked: Asked, code: str, text: str) -> ModelfleetError:
    """Return the error for what is not there: what was asked for, or the workspace or registry above it."""
    is_place = code in _PLACES or (code == "ResourceNotFound" and bool(_PLACE.search(text)))
    if is_place:
        return refusals.no_place(asked, code)
    return refusals.absent(asked)


def _status(error: BaseException) -> int:
    """Return the status of the answer that the error is about; 0 if there was none."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return status
    found = _STATUS_OF_MSAL.search(str(error))
    return int(found[1]) if found else 0


def _code(error: BaseException) -> str:
    """Return Azure's own code for the error, if it has one that is surely no more than that."""
    code = getattr(error, "error_code", None) or getattr(getattr(error, "error", None), "code", None)
    code = getattr(code, "value", code)  # storage has an enumeration of those that it knows
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _label(error: BaseException) -> str:
    return f"{_status(error)} {_code(error)}".strip()


def _retry_after(response: Any) -> float | None:
    """Return the seconds that an answer asks to wait, which it says as such or as a date."""
    said = response.headers.get("Retry-After", "") if response is not None else ""
    try:
        ends = 0.0 if said.isdecimal() else parsedate_to_datetime(said).timestamp()
    except ValueError:
        return None
    return float(said) if said.isdecimal() else max(0.0, ends - time.time())


def _answering(response: Any) -> str:
    """Return the name of the host that answered; MSAL hides it, so without one it is that of the tokens."""
    return _host(response) if response is not None else "Microsoft Entra"


def _host(response: Any) -> str:
    """Return the name of the host that an answer came from."""
    host = urlsplit(response.request.url).hostname or ""
    return host if _HOST.fullmatch(host) else "Azure"


def _container(error: BaseException) -> str:
    """Return the address of the container that a request was for, without what signs it."""
    response: Any = getattr(error, "response", None)
    path = urlsplit(response.request.url).path
    return f"https://{_host(response)}/{path.strip('/').partition('/')[0]}"
