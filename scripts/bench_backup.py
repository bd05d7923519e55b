"""How live a room stays while the server is backed up, again and again: a backup at most doubles the p99.

The server runs on the first core of this machine alone, everybody else on the others. `--messages N` says how many
messages the database has, `--folder DIR` names the disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench_store import fill

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from secure_chat.server.certificates import create  # noqa: E402 - the checkout is found first
from secure_chat.server.home import Home  # noqa: E402
from secure_chat.storage.database import wal_bytes  # noqa: E402
from tests.e2e.crowd import add_people  # noqa: E402
from tests.e2e.probe import Probe, in_words, late_ms  # noqa: E402
from tests.e2e.server_process import PROGRAM, ServerProcess  # noqa: E402

BASELINE_SECONDS = 4.0
TURNS = 5
TIMES_P99 = 2.0


def measure(folder: Path, messages: int) -> bool:
    """Print the figures; whether backups cost no more than they may."""
    home = Home(folder / "home")
    home.make()
    home.config.write_text("[passwords]\nbcrypt_rounds = 4\n")
    create(home.certs, now=datetime.now(UTC))
    tokens = {name: token for (name, _), token in add_people(home.path, ("alice", "bob")).items()}
    fill(home.database, messages)
    print(f"{messages} messages, {home.database.stat().st_size / 1e6:.0f} MB")
    core, *others = sorted(os.sched_getaffinity(0))
    server = ServerProcess(home.path, before=("taskset", "-c", str(core))).wait_until_ready()
    os.sched_setaffinity(0, others or [core])
    usual: list[float] = []
    meanwhile: list[float] = []
    seconds = 0.0
    try:
        probe = Probe(server, tokens)
        for turn in range(TURNS):
            end = time.monotonic() + BASELINE_SECONDS
            usual += probe.measure(lambda end=end: time.monotonic() < end)  # type: ignore[misc]
            file = folder / f"backup-{turn}"
            command = [*PROGRAM, "backup", str(file), "--no-passphrase", "--home", str(home.path)]
            begun = time.monotonic()
            making = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            meanwhile += probe.measure(lambda making=making: making.poll() is None)  # type: ignore[misc]
            seconds += time.monotonic() - begun
            assert making.returncode == 0  # the file stays: to delete it costs the disk something, too
        wal_mb = wal_bytes(home.database) / 1e6
    finally:
        server.stop()
    print(f"a backup takes {seconds / TURNS:.1f} s; the WAL is {wal_mb:.0f} MB afterwards")
    print(f"usually:             {in_words(usual)}")
    print(f"during {TURNS} backups:    {in_words(meanwhile)}")
    ratio = late_ms(meanwhile) / late_ms(usual)
    print(f"p99 during backups: {ratio:.2f} times the usual one")
    return ratio <= TIMES_P99


def main() -> int:
    """1 where a backup costs too much."""
    if shutil.which("taskset") is None:
        sys.exit("scripts/bench backup needs taskset (Debian, Ubuntu: apt install util-linux)")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))  # noqa: S108 - a real disk, unlike /tmp
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        is_cheap = measure(Path(folder), options.messages)
    print(f"at most {TIMES_P99:.0f} times: {'yes' if is_cheap else 'NO'}")
    return 0 if is_cheap else 1


if __name__ == "__main__":
    sys.exit(main())
