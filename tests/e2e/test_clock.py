"""The clock of the running server jumps back an hour, and forth again: order is that of sequences, times agree."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.e2e.irc_client import CAPABILITIES, IrcClient, log_in

READING = f"{CAPABILITIES} draft/chathistory draft/read-marker soju.im/search"
SHIM = """
import runpy, sys, time
from pathlib import Path
time_ns, file, sys.argv = time.time_ns, Path(sys.argv[1]), sys.argv[4:]
time.time_ns = lambda: time_ns() + int(file.read_text()) * 3_600_000_000_000
time.time = lambda: time.time_ns() / 1e9
runpy.run_module("secure_chat", run_name="__main__", alter_sys=True)
"""
"""The server with another clock on the wall; what counts seconds (monotonic) goes on, as in a real jump.

(Debian's libfaketime makes Python's sleep fail, and a time namespace has no clock on the wall.)
"""
pytestmark = pytest.mark.once


class Clock:
    """The clock of a server."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.before = (sys.executable, "-c", SHIM, str(file))
        self.jump(0)

    def jump(self, hours: int) -> None:
        """So far off from now on; in place in one go, for the server reads it all the time."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{hours}")
        new.rename(self._file)


def post(client: IrcClient, text: str) -> str:
    """Say it; the time it was given."""
    client.send(f"PRIVMSG #lobby :it is {text}")
    return client.expect(rf" PRIVMSG #lobby :it is {text}$").tags["time"]


def asked(client: IrcClient, *question: str) -> list[str]:
    """The texts that the history, or the search, answers."""
    client.send(" ".join(question))
    client.expect(r" BATCH \+")
    start = len(client.seen)
    client.expect(r" BATCH -")
    return [line.partition(" :it is ")[2] for line in client.seen[start:-1]]


def expect_consistent(client: IrcClient, times: dict[str, str]) -> None:
    """Every question by time is answered as one by order; `times`: those of all messages, in their order."""
    texts = list(times)
    assert list(times.values()) == sorted(set(times.values()))
    assert asked(client, "CHATHISTORY LATEST #lobby * 100") == texts
    for place, text in enumerate(texts):
        at = f"timestamp={times[text]}"
        assert asked(client, f"CHATHISTORY AFTER #lobby {at} 100") == texts[place + 1 :]
        assert asked(client, f"CHATHISTORY BEFORE #lobby {at} 100") == texts[:place]
        between = f"timestamp={times[texts[0]]} {at} 100"
        assert asked(client, f"CHATHISTORY BETWEEN #lobby {between}") == texts[1:place]
        assert sorted(asked(client, f"SEARCH in=#lobby;after={times[text]};text=it")) == sorted(texts[place:])


def test_it_jumps_back_an_hour_and_forth(start: Start, tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    server = start(before=clock.before).wait_until_ready()
    alice, bob = log_in(server, "alice"), log_in(server, "bob", capabilities=READING)
    times = {"one": post(alice, "one")}
    clock.jump(-1)
    times |= {text: post(alice, text) for text in ("two", "three")}
    log_in(server, "carol")
    # The log does not hide what happened to the clock.
    assert server.wait_for_log("online account=carol") < server.wait_for_log("online account=alice")
    expect_consistent(bob, times)
    assert server.stop() == 0
    server = start(before=clock.before).wait_until_ready()
    alice, bob = log_in(server, "alice"), log_in(server, "bob", capabilities=READING)
    times["four"] = post(alice, "four")
    expect_consistent(bob, times)
    clock.jump(1)
    times |= {text: post(alice, text) for text in ("five", "six")}
    clock.jump(0)
    times["seven"] = post(alice, "seven")
    expect_consistent(bob, times)
    assert server.stop() == 0
