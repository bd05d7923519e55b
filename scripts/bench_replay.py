"""How live a room stays while 50 devices of 10 accounts are given 1,000 missed messages each, again and again.

The server runs on the first core of this machine alone, everybody else on the others, who replay in a process of
their own. `--rounds N` says how often all come.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from secure_chat.server.certificates import create  # noqa: E402 - the checkout is found first
from secure_chat.server.home import Home  # noqa: E402
from tests.e2e.crowd import add_people  # noqa: E402
from tests.e2e.probe import Probe, in_words, late_ms  # noqa: E402
from tests.e2e.replaying import (  # noqa: E402
    MISSED_MESSAGES,
    Device,
    add_readers,
    at_once,
    let_miss,
    most_memory_mb,
)
from tests.e2e.server_process import ServerProcess  # noqa: E402

BASELINE_SECONDS = 5.0
LIVE_P99_MS = 100.0


def read_raw(device: Device, port: int, context: ssl.SSLContext) -> None:
    """Come, take everything missed as fast as it comes, and vanish without a proof of receipt."""
    client = device.come(port, context)
    tail, last = b"", f"missed-{MISSED_MESSAGES - 1}\r\n".encode()
    while last not in tail:
        data = client.socket.recv(65_536)
        assert data
        tail = tail[-len(last) :] + data
    client.close()


def replay(port: int, ca: str, rounds: int) -> None:
    """What the process of the readers does; names and tokens come on standard input."""
    devices = [Device(name, token) for name, token in json.load(sys.stdin)]
    context = ssl.create_default_context(cafile=ca)
    for _ in range(rounds):
        begun = time.monotonic()
        at_once(devices, lambda device: read_raw(device, port, context))
        print(f"    {len(devices)} devices had everything after {time.monotonic() - begun:.2f} s", flush=True)


def measure(folder: Path, rounds: int) -> bool:
    """Print the figures; whether the room stayed live."""
    home = Home(folder / "home")
    home.make()
    home.config.write_text("[passwords]\nbcrypt_rounds = 4\n")
    create(home.certs, now=datetime.now(UTC))
    tokens = {name: token for (name, _), token in add_people(home.path, ("alice", "bob")).items()}
    devices = add_readers(home.path)
    core, *others = sorted(os.sched_getaffinity(0))
    server = ServerProcess(home.path, before=("taskset", "-c", str(core))).wait_until_ready()
    os.sched_setaffinity(0, others or [core])
    try:
        context = ssl.create_default_context(cafile=str(server.ca))
        let_miss(server, devices, context)
        probe = Probe(server, tokens)
        end = time.monotonic() + BASELINE_SECONDS
        print(f"nobody else:     {in_words(probe.measure(lambda: time.monotonic() < end))}")
        before_mb = most_memory_mb(server)
        command = [sys.executable, __file__, "--readers", str(server.port), str(server.ca), "--rounds", str(rounds)]
        readers = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        assert readers.stdin is not None
        json.dump([(device.name, device.token) for device in devices], readers.stdin)
        readers.stdin.close()
        delays_ms = probe.measure(lambda: readers.poll() is None)
        assert readers.returncode == 0
        print(f"during replays:  {in_words(delays_ms)}")
        print(f"the server's memory grew by {most_memory_mb(server) - before_mb:.1f} MB")
        return late_ms(delays_ms) < LIVE_P99_MS
    finally:
        server.stop()


def main() -> int:
    """1 where the room did not stay live."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--readers", nargs=2, metavar=("PORT", "CA"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.readers:
        replay(int(options.readers[0]), options.readers[1], options.rounds)
        return 0
    if shutil.which("taskset") is None:
        sys.exit("scripts/bench replay needs taskset (Debian, Ubuntu: apt install util-linux)")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        is_live = measure(Path(folder), options.rounds)
    print(f"live p99 under {LIVE_P99_MS:.0f} ms: {'yes' if is_live else 'NO'}")
    return 0 if is_live else 1


if __name__ == "__main__":
    sys.exit(main())
