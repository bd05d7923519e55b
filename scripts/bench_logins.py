"""Logins on one core: by a device's token and by password, over TLS and in the engine alone.

The server runs on the first core of this machine alone, who logs in on the others. What counts is how many logins
one second of the server's processor time makes, from the TCP connection to 001; beside it what the clock says,
which is also bounded by the clients.
"""

from __future__ import annotations

import os
import shutil
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import secure_chat.server.lines  # noqa: E402, F401 - enters the operations into their table
from secure_chat.net import operations as op  # noqa: E402
from secure_chat.protocol.message import parse  # noqa: E402
from secure_chat.protocol.sasl import encode_plain  # noqa: E402
from secure_chat.server.certificates import create  # noqa: E402
from secure_chat.server.foundation import Foundation, open_foundation  # noqa: E402
from secure_chat.server.happenings import Asked, Happening  # noqa: E402
from secure_chat.server.home import Home  # noqa: E402
from secure_chat.server.operations import prepared  # noqa: E402
from tests.e2e.irc_client import IrcClient  # noqa: E402
from tests.e2e.server_process import PASSWORD, ServerProcess  # noqa: E402

PEOPLE = [f"guest{number}" for number in range(20)]
AT_ONCE = 64
LOGINS = {"token": 2_000, "password, bcrypt 4": 400, "password, bcrypt 12": 20}
ENGINE_LOGINS = 20_000
PER_TICK = 20
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def make_home(path: Path, rounds: int) -> dict[str, str]:
    """A home with accounts and a device for each; the tokens."""
    home = Home(path)
    home.make()
    home.config.write_text(f"[passwords]\nbcrypt_rounds = {rounds}\n")
    foundation = open_foundation(home, None)
    tokens: dict[str, str] = {}
    ready = prepared({"password": PASSWORD, "name": "first"}, foundation.hasher, foundation.settings)
    for name in PEOPLE:
        ask(foundation, "user add", {**ready, "name": name})
        tokens[name] = str(ask(foundation, "device add", {"name": name, "device": "bench"})["token"])
    foundation.close()
    create(home.certs, now=datetime.now(UTC))
    return tokens


def ask(foundation: Foundation, operation: str, request: dict[str, object]) -> dict[str, object]:
    """What the command-line tool would be answered."""
    (outcome,) = foundation.engine.tick([Asked(operation, request, lambda _: None)])
    assert "error" not in outcome.answer, outcome.answer
    return dict(outcome.answer)


def processor_seconds(process: int) -> float:
    """The processor time that a process has used until now."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def lines_of(name: str, password: str) -> list[str]:
    """A whole login, sent in one go."""
    chunks = [f"AUTHENTICATE {chunk}" for chunk in encode_plain(name, password)]
    return ["CAP REQ sasl", "AUTHENTICATE PLAIN", *chunks, f"NICK {name}", "USER bench 0 * :bench"]


def log_in(port: int, context: ssl.SSLContext, name: str, password: str) -> None:
    """From the TCP connection to 001."""
    client = IrcClient(port, None, context=context)
    client.send(*lines_of(name, password))
    client.expect(" 903 ")
    client.send("CAP END")
    client.expect(" 001 ")
    client.close()


def over_tls(home: Path, count: int, password_of: Callable[[str], str]) -> float:
    """Logins per second of the server's processor time. Prints both figures."""
    core, *others = sorted(os.sched_getaffinity(0))
    server = ServerProcess(home, before=("taskset", "-c", str(core))).wait_until_ready()
    os.sched_setaffinity(0, others or [core])
    context = ssl.create_default_context(cafile=str(server.ca))
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for name in PEOPLE:  # a first time each: later ones need no note of where from
                log_in(server.port, context, name, password_of(name))
            begun, used = time.monotonic(), processor_seconds(server.server_id)
            names = [PEOPLE[number % len(PEOPLE)] for number in range(count)]
            list(pool.map(lambda name: log_in(server.port, context, name, password_of(name)), names))
            seconds, busy = time.monotonic() - begun, processor_seconds(server.server_id) - used
    finally:
        os.sched_setaffinity(0, [core, *others])
        server.stop()
    print(f"    {count} logins in {seconds:.2f} s by the clock ({count / seconds:.0f}/s)", end=", ")
    print(f"{busy:.2f} s of the server's processor ({count / busy:.0f}/s)")
    return count / busy


def in_engine(home: Path, tokens: dict[str, str]) -> float:
    """Token logins per second in the engine alone, in memory: no TLS, no threads, PER_TICK logins in each tick."""
    foundation = open_foundation(Home(home), None)
    login = {name: [parse(line.encode()) for line in [*lines_of(name, tokens[name]), "CAP END"]] for name in PEOPLE}
    begun, session = time.process_time(), 0
    while session < ENGINE_LOGINS:
        ids = range(session + 1, session + PER_TICK + 1)
        opened: list[Happening] = [op.Opened(number, "127.0.0.1", True) for number in ids]
        said: list[Happening] = [
            op.Received(number, message) for number in ids for message in login[PEOPLE[number % len(PEOPLE)]]
        ]
        foundation.engine.tick([*opened, *said])
        assert len(foundation.engine.hub.presence) == len(PEOPLE)
        foundation.engine.tick([op.Lost(number, "bench") for number in ids])
        session += PER_TICK
    seconds = time.process_time() - begun
    foundation.close()
    print(f"    {ENGINE_LOGINS} logins in {seconds:.2f} s of processor ({ENGINE_LOGINS / seconds:.0f}/s)")
    return ENGINE_LOGINS / seconds


def show(figures: Sequence[tuple[str, float]]) -> None:
    """Each as a ratio to the first."""
    first = figures[0][1]
    print("Per second of one core, and as a ratio:")
    for what, figure in figures:
        print(f"  {figure:9.1f}/s  {figure / first:8.4f}  {what}")


def main() -> int:
    """All four, one after the other."""
    if shutil.which("taskset") is None:
        sys.exit("scripts/bench logins needs taskset (Debian, Ubuntu: apt install util-linux)")
    figures: list[tuple[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        homes = {rounds: Path(folder) / str(rounds) for rounds in (4, 12)}
        tokens = {rounds: make_home(home, rounds) for rounds, home in homes.items()}
        print("By token, over TLS:")
        figures.append(("token, over TLS", over_tls(homes[12], LOGINS["token"], tokens[12].__getitem__)))
        print("By token, in the engine alone:")
        figures.append(("token, in the engine alone", in_engine(homes[12], tokens[12])))
        for rounds, home in homes.items():
            what = f"password, bcrypt {rounds}"
            print(f"By {what}, over TLS:")
            figures.append((f"{what}, over TLS", over_tls(home, LOGINS[what], lambda _: PASSWORD)))
    show(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
