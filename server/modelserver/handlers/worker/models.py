"""The served models, as a handler calls them: they stay in the server, which runs them as for any request."""

from __future__ import annotations

from threading import Lock, current_thread, main_thread
from typing import TYPE_CHECKING, Any

from modelserver.handlers import frames
from modelserver.handlers.frames import Frame

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from modelserver.handlers.frames import Buffer
    from modelserver.handlers.worker.deadline import Deadline


class ModelError(Exception):
    """A served model gave no result. `kind` is BadRequest (the arrays do not suit it), ModelNotFound, ModelFailed,
    or Unavailable (too much to do, or not loaded yet: trying again may help).
    """

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class ServedModel:
    """One model that the server has loaded."""

    def __init__(self, models: ServedModels, name: str | None, version: str | None) -> None:
        self._models = models
        self._name = name
        self._version = version

    def run(self, feed: Mapping[str, Any], outputs: Sequence[str] | None = None) -> dict[str, Any]:
        """The outputs by name, or those that are asked for: arrays, or lists of maps where a model gives such.

        `feed` holds an array, or nested lists, for each input. Raises ModelError.
        """
        import numpy as np  # noqa: PLC0415  # a handler that calls no model may do without

        from modelserver.handlers import values  # noqa: PLC0415

        buffers: list[Buffer] = []
        inputs = {name: values.described(np.asarray(value), buffers) for name, value in feed.items()}
        head = {
            "model": self._name,
            "version": self._version,
            "inputs": inputs,
            "outputs": outputs and list(outputs),
        }
        answer = self._models.exchange(Frame(head, buffers))
        if error := answer.head.get("error"):
            raise ModelError(error["kind"], error["message"])
        found = iter(answer.buffers)
        return {name: values.restored(value, found) for name, value in answer.head["outputs"].items()}


class ServedModels:
    """`models[name]` is the version of it that was given last, `models[name, version]` that one, and `models.only`
    the model of a server that has one. May be used by several threads, one call at a time.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._deadline: Deadline
        self._lock = Lock()

    def connect(self, sock: socket.socket, deadline: Deadline) -> None:
        """Makes `sock` the way to the server. Only for the process that runs the handler."""
        self._socket = sock
        self._deadline = deadline

    def __getitem__(self, key: str | tuple[str, str]) -> ServedModel:
        """The model; whether there is one shows when it is run."""
        name, version = (key, None) if isinstance(key, str) else key
        return ServedModel(self, name, version)

    @property
    def only(self) -> ServedModel:
        """The model, where the server has just one."""
        return ServedModel(self, None, None)

    def exchange(self, frame: Frame) -> Frame:
        """The server's answer to `frame`. Raises ModelError where there is no server."""
        if not self._socket:
            raise ModelError("Unavailable", "models can only be run in a handler that a server has started")
        with self._lock:
            if current_thread() is not main_thread():
                return self._exchanged(self._socket, frame)
            with self._deadline.held():  # a message that is read to its half would be the end of all that follow
                return self._exchanged(self._socket, frame)

    @staticmethod
    def _exchanged(sock: socket.socket, frame: Frame) -> Frame:
        try:
            frames.send(sock, frame)
            return frames.receive(sock)
        except frames.Broken:
            raise ModelError("Unavailable", "the server is gone") from None


models = ServedModels()
