"""Fifty devices that missed a thousand messages come at once while the room is live, and one vanishes meanwhile."""

from __future__ import annotations

import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.e2e.irc_client import IrcClient, log_in
from tests.e2e.replaying import add_readers, at_once, let_miss, most_memory_mb, read_until

LIVE_MESSAGES = 100
LAST = "the-last"
READ_BEFORE_VANISHING = "missed-150"
MEMORY_MB = 12
"""Measured: 3. Fifty replays that are all held at once, as text alone, are 10."""
pytestmark = pytest.mark.once


def test_each_device_gets_everything_once_and_in_order(home: Path, start: Start) -> None:
    devices = add_readers(home)
    server = start().wait_until_ready()
    context = ssl.create_default_context(cafile=str(server.ca))
    expected = let_miss(server, devices, context)
    before_mb = most_memory_mb(server)
    vanishing = devices[0].come(server.port, context)
    assert read_until(vanishing, READ_BEFORE_VANISHING) == expected[:151]
    vanishing.close()

    with ThreadPoolExecutor(1) as pool:
        talking = pool.submit(talk, log_in(server, "bob"))
        told = at_once(devices, lambda device: read_until(device.come(server.port, context), LAST))
        talking.result()
    expected += [*(f"live-{number}" for number in range(LIVE_MESSAGES)), LAST]
    for device, found in zip(devices, told, strict=True):
        assert found == expected, device.name
    grown_mb = most_memory_mb(server) - before_mb
    assert grown_mb < MEMORY_MB


def talk(speaker: IrcClient) -> None:
    """Say LIVE_MESSAGES, one after the other, and the last one."""
    for number in range(LIVE_MESSAGES):
        speaker.send(f"PRIVMSG #lobby :number live-{number}")
        speaker.expect(f" live-{number}$")
    speaker.send(f"PRIVMSG #lobby :number {LAST}")
