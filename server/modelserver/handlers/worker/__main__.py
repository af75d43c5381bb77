"""`python -m modelserver.handlers.worker FD FD`, as the server starts it: with sockets for requests and calls."""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import resource
import signal
import socket
import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelserver.handlers import frames, models
from modelserver.handlers.frames import Frame
from modelserver.handlers.worker import answer, imports, output
from modelserver.handlers.worker.answer import Answer
from modelserver.handlers.worker.deadline import Deadline
from modelserver.handlers.worker.request import Refused, Request, arguments
from modelserver.handlers.worker.script import Script, ScriptInvalid, told

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

log = logging.getLogger("handler")

PR_SET_PDEATHSIG = 1
FIRST_TO_GO = "1000"
EXIT_INVALID = 3


class Worker:
    """Runs one script for one request after the other."""

    def __init__(self, script: Script, deadline: Deadline) -> None:
        self._script = script
        self._deadline = deadline

    def answered(self, frame: Frame) -> Frame:
        """The answer to the request in `frame`. Never raises."""
        try:
            return self._answer(Request.of(frame), frame.head["seconds"], frame.head["timeout_ms"]).frame()
        except Refused as error:
            return answer.message(error.status, str(error)).frame()
        except Exception:
            log.exception("what run() has returned cannot be sent")
            return answer.message(500, answer.INTERNAL).frame()

    def _answer(self, request: Request, seconds: float, timeout_ms: int) -> Answer:
        if not self._script.raw:
            if request.method == "OPTIONS":
                return answer.empty()
            if request.method == "HEAD":
                raise Refused(405, "The method is not allowed for the requested URL.")
        with self._context(request):
            named = self._arguments(request)
            started = time.perf_counter()
            try:
                with self._deadline.after(seconds):
                    value = self._script.run(**named)
            except TimeoutError:
                log.exception("run() ran into a timeout")
                return answer.message(500, f"Scoring timeout after {timeout_ms} ms", failed=True)
            except (
                BaseException
            ):  # even SystemExit: what the script does not want to answer is answered all the same
                log.exception("run() failed")
                return answer.message(500, answer.SCRIPT_FAILED, failed=True)
            return answer.returned(value, time.perf_counter() - started)

    def _arguments(self, request: Request) -> dict[str, Any]:
        if not self._script.raw:
            return arguments(self._script, request)
        import flask  # noqa: PLC0415  # only what uses it pays for it

        return {next(iter(self._script.parameters)): flask.request}

    @staticmethod
    def _context(request: Request) -> AbstractContextManager[object]:
        if "flask" not in sys.modules:
            return nullcontext()
        from modelserver.handlers.worker import wsgi  # noqa: PLC0415  # see above

        return wsgi.context(request)


def main() -> None:
    """Serves until the server closes its end."""
    requests, calls = (socket.socket(fileno=int(number)) for number in sys.argv[1:])
    for sock in (requests, calls):
        sock.set_inheritable(False)
    output.configure()
    faulthandler.enable()
    with suppress(frames.Broken):
        setup = frames.receive(requests).head
        confine(setup["memory_bytes"])
        deadline = Deadline()
        models.connect(calls, deadline)
        script = _initialised(Path(setup["script"]), setup["search"], requests)
        _serve(requests, Worker(script, deadline))


def confine(memory_bytes: int | None) -> None:
    """Makes this process end with the server, end before it where memory runs out, and not take all of it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):  # where /proc is read-only there is still the limit
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    if memory_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def _initialised(path: Path, search: list[str], requests: socket.socket) -> Script:
    """The script. The server is told when its `init` has ended well; when not, it is told that, and all ends."""
    imports.provide()
    sys.path.extend(search)
    try:
        script = Script(path)
        script.init()
        frames.send(requests, Frame({"ready": script.interface()}))
    except ScriptInvalid as error:
        _fail(requests, str(error))
    except BaseException as error:  # whatever a script raises
        log.exception("the handler cannot be started")
        hint = "; --handler-memory says how much it may use" if isinstance(error, MemoryError) else ""
        _fail(requests, f"the handler {path} cannot be started: {told(error, path)}{hint}")
    return script


def _fail(requests: socket.socket, sentence: str) -> None:
    frames.send(requests, Frame({"invalid": sentence}))
    sys.stdout.flush()
    os._exit(EXIT_INVALID)


def _serve(requests: socket.socket, worker: Worker) -> None:
    while True:
        frame = frames.receive(requests)
        frames.send(requests, Frame({"begun": True}))
        try:
            frames.send(requests, worker.answered(frame))
        except frames.TooLarge:
            log.exception("what run() has returned cannot be sent")
            frames.send(requests, answer.message(500, answer.INTERNAL).frame())


main()
