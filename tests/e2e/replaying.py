"""Devices that were away while a room went on, and are given what they missed when they come."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from secure_chat.protocol.sasl import encode_plain
from tests.e2e.crowd import add_people
from tests.e2e.irc_client import IrcClient, log_in
from tests.e2e.server_process import ServerProcess

R = TypeVar("R")
PEOPLE = tuple(f"reader{number}" for number in range(10))
DEVICES = tuple(f"device{number}" for number in range(5))
MISSED_MESSAGES = 1_000
AT_ONCE_MESSAGES = 100
CONFIG = "[history]\nreplay_messages = 10000\n"
_POST = re.compile(r" PRIVMSG #lobby :\S+ (\S+)$")


class Device:
    """One of a person's, which reads and says nothing."""

    def __init__(self, name: str, token: str) -> None:
        self.name = name
        self.token = token

    def come(self, port: int, context: ssl.SSLContext) -> IrcClient:
        """Log in, all in one go. The device has no `draft/chathistory`: the server gives it what it missed."""
        client = IrcClient(port, None, context=context)
        chunks = [f"AUTHENTICATE {chunk}" for chunk in encode_plain(self.name, self.token)]
        client.send("CAP REQ :batch message-tags sasl server-time", "AUTHENTICATE PLAIN", *chunks)
        client.send(f"NICK {self.name}", "USER reader 0 * :A reader", "CAP END")
        client.expect(r" (376|422) ")
        return client

    def come_and_go(self, port: int, context: ssl.SSLContext) -> None:
        """Be known: what is said from now on is missed."""
        client = self.come(port, context)
        client.send("QUIT")
        client.expect_end()
        client.close()


def read_until(client: IrcClient, last: str) -> list[str]:
    """The numbers of the posts, to the last one. Receipt is never proven: what comes, comes again next time."""
    found: list[str] = []
    while not found or found[-1] != last:
        line = client.line()
        assert line is not None, found[-3:]
        if match := _POST.search(line):
            found.append(match[1])
    return found


def add_readers(home: Path) -> list[Device]:
    """Configure a home on which no server runs, and add them."""
    with (home / "config.toml").open("a") as file:
        file.write(CONFIG)
    return [Device(name, token) for (name, _), token in add_people(home, PEOPLE, DEVICES).items()]


def at_once(devices: Sequence[Device], visit: Callable[[Device], R]) -> list[R]:
    """What each device's visit brings, all at the same time."""
    with ThreadPoolExecutor(len(devices)) as pool:
        return list(pool.map(visit, devices))


def let_miss(server: ServerProcess, devices: Sequence[Device], context: ssl.SSLContext) -> list[str]:
    """All devices are known and gone, and then MISSED_MESSAGES are said; their numbers."""
    at_once(devices, lambda device: device.come_and_go(server.port, context))
    speaker = log_in(server, "alice")
    numbers = [f"missed-{number}" for number in range(MISSED_MESSAGES)]
    for start in range(0, MISSED_MESSAGES, AT_ONCE_MESSAGES):
        speaker.send(*(f"PRIVMSG #lobby :number {number}" for number in numbers[start : start + AT_ONCE_MESSAGES]))
        speaker.barrier()
    speaker.close()
    return numbers


def most_memory_mb(server: ServerProcess) -> float:
    """The most that the server's process has ever had."""
    status = Path(f"/proc/{server.server_id}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024
