"""All that serves gRPC, put together: to be imported when HTTP is served already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelserver.grpc.listener import Listener
from modelserver.grpc.methods import Methods

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelserver.auth.authenticator import Authenticator
    from modelserver.http.reader import Limits
    from modelserver.loading.loader import Loader
    from modelserver.service import InferenceService


def listener(
    service: InferenceService,
    loader: Loader,
    is_ready: Callable[[], bool],
    authenticator: Authenticator | None,
    limits: Limits,
    hold: Callable[[int], bool],
) -> Listener:
    """A listener for the same models, within the same limits, as those of HTTP."""
    methods = Methods(service, loader, is_ready, authenticator)
    return Listener(methods.unary(), methods.streaming(), limits, hold)
