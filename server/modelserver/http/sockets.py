"""The few things to do with a socket that asyncio does not."""

from __future__ import annotations

import resource
import select
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Connections that wait to be accepted; the kernel may allow fewer (net.core.somaxconn).
BACKLOG = 4096
# Files that are no connections: libraries, models, logs, sockets of other kinds.
OTHER_FILES = 256


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; `::` also takes IPv4. Raises OSError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    dual = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual)


def room(wanted: int) -> int:
    """How many connections there may be: as many as wanted, or as files may be opened when the process has raised
    its limit as far as it can.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = wanted + OTHER_FILES
    if soft < files:
        soft = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, soft - OTHER_FILES)


def has_data(fd: int) -> bool:
    """Whether something has arrived on `fd` (data, a connection or an end) that nobody has read yet."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def backlog(sock: socket.socket) -> Iterator[socket.socket]:
    """Takes the connections that the listening socket `sock` has established but nobody has accepted."""
    sock.setblocking(False)
    while has_data(sock.fileno()):
        with suppress(BlockingIOError, ConnectionAbortedError):  # the client may have left meanwhile
            yield sock.accept()[0]
