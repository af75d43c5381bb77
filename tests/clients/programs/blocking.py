"""An asynchronous client that is called as a synchronous one, so that the same statements can be held for both."""

from __future__ import annotations

import asyncio
import inspect
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future


class Blocking:
    """The client that `make` gives, in an event loop of its own; its coroutines block until they are done."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Blocking:
        self._thread.start()
        self._client = self.wait(self._made())
        return self

    def __exit__(self, *_: object) -> None:
        self.wait(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*args: Any, **options: Any) -> Any:
            result = method(*args, **options)
            return self.wait(result) if inspect.iscoroutine(result) else result

        return call

    def wait(self, awaitable: Any) -> Any:
        """The result of a coroutine, run in the client's loop."""
        return self._begun(awaitable).result()

    def async_infer(
        self, *args: Any, callback: Callable[..., None] | None = None, timeout: object = None, **options: Any
    ) -> Request:
        """An inference under way; `callback` gets `result` and `error`, as from tritonclient's gRPC client."""
        begun = self._begun(self._client.infer(*args, **options))
        if callback:
            begun.add_done_callback(lambda done: callback(*_outcome(done)))
        return Request(begun)

    def _begun(self, awaitable: Any) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop)

    async def _made(self) -> Any:
        return self._make()


class Request:
    """A request under way, as tritonclient's HTTP client returns it."""

    def __init__(self, begun: Future[Any]) -> None:
        self._begun = begun
        self.cancel = begun.cancel

    def get_result(self, timeout: float | None = None) -> Any:
        """The result; raises what the client raised."""
        return self._begun.result(timeout)


def _outcome(done: Future[Any]) -> tuple[Any, BaseException | None]:
    error = CancelledError() if done.cancelled() else done.exception()
    return (None if error else done.result()), error
