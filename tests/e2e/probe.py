"""How long a post takes from its sender to somebody else, over TLS, while something else goes on."""

from __future__ import annotations

import re
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from tests.e2e.irc_client import log_in
from tests.e2e.server_process import ServerProcess

CAPABILITIES = "batch draft/chathistory message-tags sasl server-time"
INTERVAL_SECONDS = 0.01
_PROBE = re.compile(r" PRIVMSG #lobby :the probe (\d+)$")


class Probe:
    """Posts about a hundred times a second from one client; the other one is listened to by a thread."""

    def __init__(self, server: ServerProcess, tokens: Mapping[str, str]) -> None:
        """Two people log in. Nothing comes back to the sender: an `ssl` object is for one thread at a time."""
        self._sender, self._receiver = (
            log_in(server, name, token, capabilities=CAPABILITIES) for name, token in tokens.items()
        )

    def measure(self, goes_on: Callable[[], bool]) -> list[float]:
        """The delays in ms of all that was posted until this no longer goes on."""
        sent: list[float] = []
        arrived: list[float] = []
        last = threading.Event()

        def listen() -> None:
            while not last.is_set() or len(arrived) < len(sent):
                line = self._receiver.line()
                assert line is not None
                if line.startswith("PING "):
                    self._receiver.send(f"PONG {line.removeprefix('PING ')}")
                if _PROBE.search(line):
                    arrived.append(time.perf_counter())

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        while goes_on():
            sent.append(time.perf_counter())
            self._sender.send(f"PRIVMSG #lobby :the probe {len(sent)}")
            time.sleep(INTERVAL_SECONDS)
        sent.append(time.perf_counter())
        last.set()
        self._sender.send(f"PRIVMSG #lobby :the probe {len(sent)}")
        listener.join()
        return [(end - begun) * 1000 for begun, end in zip(sent, arrived, strict=True)]


def late_ms(delays_ms: Sequence[float]) -> float:
    """The 99th percentile."""
    return sorted(delays_ms)[int(len(delays_ms) * 0.99)]


def in_words(delays_ms: Sequence[float]) -> str:
    """Median, 99th percentile and the longest."""
    median, longest = statistics.median(delays_ms), max(delays_ms)
    figures = f"median {median:5.1f} ms, p99 {late_ms(delays_ms):5.1f} ms, longest {longest:5.1f} ms"
    return f"{figures} ({len(delays_ms)} posts)"
