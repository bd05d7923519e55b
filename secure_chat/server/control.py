"""The control socket: how the command-line tool reaches a running server."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

from secure_chat.errors import SecureChatError
from secure_chat.server.happenings import Asked
from secure_chat.server.home import Home, HomeUnusable
from secure_chat.server.operations import ANSWER_SECONDS, REQUEST_LIMIT_BYTES

CLIENTS_LIMIT = 4
WAITING_LIMIT = 64
"""Connections that wait for one of these places; the kernel refuses more."""
REQUEST_SECONDS = 5.0
"""How long a request may take to come: its connection holds a place."""
PAUSE_SECONDS = 0.5
"""How long nothing is accepted after the process ran out of file descriptors."""
log = logging.getLogger("secure_chat.server")


class ControlSocket:
    """Listens in the home; each request is one line of JSON, answered by one. For the home's owner (and root) only.

    `prepare` makes a request ready, on the thread of its connection; `put` hands it to the dispatcher.
    """

    def __init__(
        self, home: Home, prepare: Callable[[dict[str, Any]], dict[str, Any]], put: Callable[[Asked], None]
    ) -> None:
        """Begin to listen. Only who holds the home's lock may: an old socket file is replaced."""
        self._path = home.socket
        self._prepare = prepare
        self._put = put
        self._ending = threading.Event()
        self._places = threading.BoundedSemaphore(CLIENTS_LIMIT)
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            self._socket.bind(str(self._path))
        except OSError as error:
            text = f"{self._path} cannot be used as the control socket ({error}); choose a home with a shorter path"
            raise HomeUnusable(text) from error
        finally:
            os.umask(before)
        self._socket.listen(WAITING_LIMIT)
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._ending.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        # On a disk that is read-only by now it stays; the next server takes it away.
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                sock, _ = self._socket.accept()
            except OSError as error:
                if not self._ending.wait(PAUSE_SECONDS):
                    log.warning("control socket: cannot accept: %s; trying again", error.strerror)
                continue
            self._places.acquire()
            threading.Thread(target=self._serve, args=(sock,), name="control client", daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            with sock:
                sock.settimeout(REQUEST_SECONDS)
                if not _is_ours(sock):
                    log.warning("control socket: a request of another user was refused")
                    return
                with sock.makefile("rb") as lines:
                    answer = self._answer(lines.readline(REQUEST_LIMIT_BYTES))
                sock.settimeout(ANSWER_SECONDS)
                sock.sendall(json.dumps(answer).encode() + b"\n")
        except OSError as error:
            log.info("control socket: %s", error)
        finally:
            self._places.release()

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            operation, request = _parse(line)
            ready = self._prepare(request)
        except (ValueError, RecursionError):
            return {"error": "This is not a request"}
        except SecureChatError as error:
            return {"error": str(error)}
        answered = threading.Event()
        answer: dict[str, object] = {}

        def take(values: dict[str, object]) -> None:
            answer.update(values)
            answered.set()

        self._put(Asked(operation, ready, take))
        if not answered.wait(ANSWER_SECONDS):
            return {"error": "The server is too busy; it is not known whether it was done"}
        return {"done": True, **answer}


def _parse(line: bytes) -> tuple[str, dict[str, Any]]:
    """The operation asked for, and its values. Raises ValueError, RecursionError."""
    request = json.loads(line)
    operation = request.pop("operation", None) if isinstance(request, dict) else None
    if not isinstance(operation, str):
        raise ValueError
    return operation, request


def _is_ours(sock: socket.socket) -> bool:
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return user in (0, os.getuid())
