"""Accepting connections: a thread that hands each raw socket to a worker. Nothing here waits for a peer."""

from __future__ import annotations

import errno
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence

from secure_chat.errors import SecureChatError
from secure_chat.net.admission import Admission
from secure_chat.net.limits import Limits
from secure_chat.net.operations import Adopt

BACKLOG = 512
PAUSE_SECONDS = 0.2
"""How long nothing is accepted after the process ran out of file descriptors."""
SAY_AGAIN_SECONDS = 5.0
"""How often the log says that nothing can be accepted."""
log = logging.getLogger("secure_chat.net")


class CannotListen(SecureChatError):
    """An address cannot be listened on; the text says which, why, and what to do."""


class Listener:
    """Listens on several addresses. `hand_over` gets each connection that is let in."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        limits: Limits,
        admission: Admission,
        hand_over: Callable[[Adopt], None],
        on_death: Callable[[BaseException], None],
    ) -> None:
        self._sockets = sockets
        self._limits = limits
        self._admission = admission
        self._hand_over = hand_over
        self._on_death = on_death
        self._ending = threading.Event()
        self._wake_receive, self._wake_send = socket.socketpair()
        self._last_id = 0
        self._failures = 0
        self._said_at = -SAY_AGAIN_SECONDS
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def close(self) -> None:
        """Accept nothing more and free the addresses; any thread, more than once."""
        if not self._ending.is_set():
            self._ending.set()
            self._wake_send.send(b"\0")
            self._thread.join()

    def _run(self) -> None:
        try:
            self._accept_until_the_end()
        except BaseException as error:  # noqa: BLE001 - a server that lets nobody in must not live on
            self._on_death(error)

    def _accept_until_the_end(self) -> None:
        selector = selectors.DefaultSelector()
        for sock in (*self._sockets, self._wake_receive):
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ)
        while not self._ending.is_set():
            for key, _ in selector.select():
                if key.fileobj is not self._wake_receive:
                    assert isinstance(key.fileobj, socket.socket)
                    self._accept(key.fileobj)
        selector.close()
        for sock in (*self._sockets, self._wake_receive, self._wake_send):
            sock.close()

    def _accept(self, listening: socket.socket) -> None:
        try:
            sock, peer = listening.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:
            self._say_cannot(error)
            self._ending.wait(PAUSE_SECONDS)
            return
        address = str(peer[0]).removeprefix("::ffff:")
        exempt = self._limits.exempts(address)
        refusal = None if exempt else self._admission.admit(address)
        if refusal is not None:
            sock.close()
            log.info("connection refused", extra={"facts": {"address": address, "reason": refusal}})
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._last_id += 1
        self._hand_over(Adopt(self._last_id, sock, address, exempt))

    def _say_cannot(self, error: OSError) -> None:
        """Log it at most once in SAY_AGAIN_SECONDS, with how often it happened since the last time."""
        self._failures += 1
        now = time.monotonic()
        if now - self._said_at >= SAY_AGAIN_SECONDS:
            facts = {"reason": error.strerror, "times": self._failures}
            log.warning("cannot accept; trying again", extra={"facts": facts})
            self._failures, self._said_at = 0, now


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on a host and port, over IPv4 and IPv6 where the host has both; "" is every address.

    With port 0 the system chooses one, the same for all. Raises CannotListen.
    """
    try:
        return _listen(host, port)
    except OSError as error:
        raise CannotListen(_explain(error, f"{host or '*'}:{port}")) from error


def _explain(error: OSError, where: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where}: the port is in use by another program; choose another with --listen HOST:PORT"
        case errno.EACCES:
            return f"{where}: not allowed ({error.strerror}); ports below 1024 are for root"
        case errno.EADDRNOTAVAIL:
            return f"{where}: this machine does not have that address; name one of its own with --listen HOST:PORT"
        case _:
            return f"{where}: cannot listen there ({error.strerror or error})"


def _listen(host: str, port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    infos = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    try:
        for family, kind, protocol, _, where in dict.fromkeys(infos):
            try:
                sock = socket.socket(family, kind, protocol)
            except OSError:
                continue  # this machine has no such family
            sockets.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            chosen = sockets[0].getsockname()[1] if len(sockets) > 1 else port
            sock.bind((where[0], chosen, *where[2:]))
            sock.listen(BACKLOG)
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets
