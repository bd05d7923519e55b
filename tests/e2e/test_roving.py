"""Devices come and go in every way, the server is killed and restarted: each is given all that it missed, once.

SECURE_CHAT_ROVING_SECONDS sets how long (8).
"""

from __future__ import annotations

import os
import random
import ssl
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.e2e.crowd import add_people
from tests.e2e.irc_client import log_in
from tests.e2e.rovers import END, LOBBY, OWN_ROOM, ROOM, Person, Rover, faults

SECONDS = float(os.environ.get("SECURE_CHAT_ROVING_SECONDS", "8"))
SEED = int(os.environ.get("SECURE_CHAT_ROVING_SEED", "0")) or random.randrange(1, 1_000_000)
LONGEST_LIFE_SECONDS = 5.0
END_SECONDS = 20.0
PEOPLE = tuple(f"rover{number}" for number in range(7))
DEVICES = ("d0", "d1", "d2")
CONFIG = "[presence]\ngrace_seconds = 1\n[history]\nreplay_messages = 10000"
pytestmark = [pytest.mark.once, pytest.mark.timeout(90 + 2 * SECONDS)]


def test_every_device_gets_what_it_missed(home: Path, start: Start) -> None:
    config = home / "config.toml"
    config.write_text(config.read_text().replace("[presence]\ngrace_seconds = 0", CONFIG))
    chance = random.Random(SEED)
    tokens = add_people(home, PEOPLE, DEVICES)
    people = {name: Person(name) for name in PEOPLE}
    rovers = [
        Rover(people[name], device, token, [one for one in PEOPLE if one != name], random.Random(chance.random()))
        for (name, device), token in tokens.items()
    ]
    server = start().wait_until_ready()
    port, context = server.port, ssl.create_default_context(cafile=str(server.ca))
    for name in PEOPLE:
        client = log_in(server, name)
        client.send(f"JOIN {ROOM}", f"JOIN {OWN_ROOM}")
        client.barrier()
        client.close()
        people[name].joined(time.monotonic())
    stop, killed_at = threading.Event(), []
    threads = [threading.Thread(target=rover.rove, args=(port, context, stop)) for rover in rovers]
    for thread in threads:
        thread.start()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        stop.wait(chance.uniform(0.5, LONGEST_LIFE_SECONDS))
        if chance.random() < 0.5:
            killed_at.append(time.monotonic())
            server.kill()
        else:
            server.stop()
        server = start(port=port).wait_until_ready()
    stop.set()
    for thread in threads:
        thread.join(END_SECONDS)
        assert not thread.is_alive()
    log_in(server, "alice").send(f"PRIVMSG {LOBBY} :{END}")
    for rover in rovers:
        rover.come_last(port, context)
    posts, visits = sum(len(rover.said) for rover in rovers), sum(len(rover.visits) for rover in rovers)
    print(f"seed {SEED}: {posts} posts, {visits} visits, killed {len(killed_at)} times")
    assert [*faults(rovers, killed_at)] == [], f"seed {SEED}"
