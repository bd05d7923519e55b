"""The store with a million messages in 200 conversations: starting, reading, searching, posting; on a real disk.

Posting is compared with what the disk and SQLite can do by themselves: raw syncs, and raw inserts of the same rows
with the same indexes in transactions of 32. `--messages N` makes it smaller, `--folder DIR` names the disk.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from secrets import token_urlsafe

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import secure_chat.server.lines  # noqa: E402, F401 - enters the commands into their table
from secure_chat.chat import effects as fx  # noqa: E402
from secure_chat.chat.accounts import Account  # noqa: E402
from secure_chat.chat.forgetting import Forgetting  # noqa: E402
from secure_chat.chat.history import End, HistoryQuery, Rights, SearchQuery  # noqa: E402
from secure_chat.chat.messages import InRoom, Kind, NewMessage  # noqa: E402
from secure_chat.chat.rooms import Role, RoomRecord  # noqa: E402
from secure_chat.net import operations as op  # noqa: E402
from secure_chat.protocol.message import parse  # noqa: E402
from secure_chat.protocol.relay import Relayed  # noqa: E402
from secure_chat.protocol.search import parse_terms, words_of  # noqa: E402
from secure_chat.server.certificates import create  # noqa: E402
from secure_chat.server.forgetting import BUSY_PAUSE_US, IDLE_PAUSE_US  # noqa: E402
from secure_chat.server.home import Home  # noqa: E402
from secure_chat.storage.chapters import chapter_of, index_rest, place_in, words_in  # noqa: E402
from secure_chat.storage.database import open_database  # noqa: E402
from secure_chat.storage.history import HistoryReader  # noqa: E402
from secure_chat.storage.sqlite import SqliteStore  # noqa: E402
from secure_chat.storage.volumes import table_for, volume_of  # noqa: E402
from tests.conversation.house import House  # noqa: E402
from tests.e2e.crowd import add_people  # noqa: E402
from tests.e2e.irc_client import log_in  # noqa: E402
from tests.e2e.server_process import ServerProcess  # noqa: E402

ROOMS, PEOPLE, SENDERS = 200, 50, 32
ROOMS_EACH = ROOMS // SENDERS
WORDS = [f"word{number}" for number in range(5_000)]
COMMON = "hello"
TICK_MESSAGES = 1_000
POSTS, POSTING_RUNS = 20_000, 5
TLS_ROUNDS = 200
SYNCS = 300
REPETITIONS = 40
SQLITE_CHECKPOINT_PAGES = 1_000
PRUNED_MESSAGES, STEP_MS = 5_000, 5
BEGUN_US = 1_700_000_000_000_000
CHANCE = random.Random(1)  # noqa: S311 - the same words in each run


def text() -> str:
    """Nine words, one of them in every message."""
    return " ".join([COMMON, *(CHANCE.choice(WORDS) for _ in range(8))])


def posts(start: int = 0) -> Iterator[fx.Append]:
    """Posts by everybody, in all rooms, without end."""
    for number in count(start):
        sender, room = 2 + number % (PEOPLE - 1), CHANCE.randrange(ROOMS)
        line = Relayed(
            f"p{sender}!u@h", "PRIVMSG", (f"#r{room}", text()), BEGUN_US + number * 1000, f"p{sender}", f"m{number}"
        )
        yield fx.Append(NewMessage(InRoom(1000 + room), Kind.POST, sender, "u", line))


def fill(path: Path, messages: int) -> None:
    """Accounts, rooms and so many messages; account 1 is in one room alone, the others are in all."""
    store = SqliteStore(path)
    people = [Account(number, f"p{number}", f"p{number}", "x") for number in range(1, PEOPLE + 1)]
    store.stage([fx.AccountSet(person) for person in people])
    store.stage([fx.RoomSet(RoomRecord(1000 + n, f"#r{n}", f"#r{n}", 1, 1)) for n in range(ROOMS)])
    store.stage([fx.MemberSet(1000 + n, p.id, Role.MEMBER) for n in range(ROOMS) for p in people[1:]])
    store.stage([fx.MemberSet(1007, 1, Role.MEMBER)])
    for number, post in zip(range(messages), posts(), strict=False):
        store.stage([post])
        if number % TICK_MESSAGES == TICK_MESSAGES - 1:
            store.commit()
    store.commit()
    store.close()


def timed(action: Callable[[], Sequence[object]]) -> str:
    """Median and 95th percentile in ms."""
    taken = []
    for _ in range(REPETITIONS):
        begun = time.perf_counter()
        found = action()
        taken.append((time.perf_counter() - begun) * 1000)
    taken.sort()
    median, late = taken[REPETITIONS // 2], taken[int(REPETITIONS * 0.95)]
    return f"median {median:6.1f} ms, p95 {late:6.1f} ms ({len(found)} found)"


def syncs_per_second(folder: Path) -> float:
    """How often the disk takes 4 KiB for good."""
    with (folder / "sync").open("wb", buffering=0) as file:
        begun = time.perf_counter()
        for _ in range(SYNCS):
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
        return SYNCS / (time.perf_counter() - begun)


def raw_inserts(path: Path, checkpoint_pages: int = SQLITE_CHECKPOINT_PAGES, *, cut_before: bool = False) -> float:
    """Rows a second, in transactions of SENDERS, without anything of the program around them.

    The WAL is moved into the database, and pieces of the index are joined, as SQLite does it by itself. Texts are
    cut into words for the index as always; with `cut_before` that is not counted.
    """
    connection = open_database(path)
    connection.execute(f"PRAGMA wal_autocheckpoint={checkpoint_pages}")
    ((last_id,),) = connection.execute("SELECT max(id) FROM message")
    tables = {number: table_for(connection, number) for number in {volume_of(last_id), volume_of(last_id + POSTS)}}
    for table in tables.values():
        connection.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('automerge', 4)")  # noqa: S608
    rows = []
    for message_id in range(last_id + 1, last_id + 1 + POSTS):
        place, sequence, said = room_of(message_id) + 1, 10**9 + message_id, text()
        words = words_in(chapter_of(message_id), words_of(said)) if cut_before else None
        rows.append((message_id, place, sequence, token_urlsafe(15), 2 + message_id % SENDERS, said, words))
    begun = time.perf_counter()
    for start in range(0, POSTS, SENDERS):
        with connection:
            for message_id, place, sequence, msgid, sender, said, words in rows[start : start + SENDERS]:
                chapter, table = chapter_of(message_id), tables[volume_of(message_id)]
                connection.execute(
                    "INSERT INTO message (conversation_id, sequence, msgid, kind, sender_id, sender_user, text,"
                    " time_us, sender_device) VALUES (?, ?, ?, 'post', ?, 'u', ?, ?, '~u~12345678')",
                    (place, sequence, msgid, sender, said, BEGUN_US + sequence * 1000),
                )
                entry = (message_id, place_in(chapter, place), words or words_in(chapter, words_of(said)))
                connection.execute(f"INSERT INTO {table} (rowid, place, words) VALUES (?, ?, ?)", entry)  # noqa: S608
    rate = POSTS / (time.perf_counter() - begun)
    connection.close()
    return rate


def room_of(number: int) -> int:
    """Where the post of this number goes: each sender has rooms of its own, and takes them in turn."""
    return number % SENDERS * ROOMS_EACH + number // SENDERS % ROOMS_EACH


def acknowledged_posts(path: Path) -> float:
    """Posts a second through the engine: SENDERS people, each waits for the echo before the next. Their lines are
    parsed before: that is the worker's part.
    """
    house = House(path)
    clients = []
    for number in range(SENDERS):
        house.add_account(f"sender{number}")
        clients.append(house.log_in(f"sender{number}", ["echo-message", "message-tags", "server-time"]))
        house.say(clients[-1], *(f"JOIN #r{room_of(number + n * SENDERS)}" for n in range(ROOMS_EACH)))
    lines = [
        op.Received(clients[number % SENDERS].id, parse(f"PRIVMSG #r{room_of(number)} :{text()}".encode()))
        for number in range(POSTS)
    ]
    gc.collect()
    gc.freeze()  # as the server does
    begun = time.perf_counter()
    for start in range(0, POSTS, SENDERS):
        outcomes = house.engine.tick(lines[start : start + SENDERS])
        assert all(outcome.operations for outcome in outcomes)
    connection = open_database(path)
    index_rest(connection)  # what is not in it yet
    rate = POSTS / (time.perf_counter() - begun)
    gc.unfreeze()
    connection.close()
    house.stop()
    return rate


def posts_over_tls(folder: Path) -> float:
    """The same from a server of its own, over TLS. The clients are Python and share the machine."""
    home = Home(folder / "home")
    home.make()
    home.config.write_text("[passwords]\nbcrypt_rounds = 4\n")
    create(home.certs, now=datetime.now(UTC))
    tokens = add_people(home.path, [f"sender{number}" for number in range(SENDERS)])
    server = ServerProcess(home.path).wait_until_ready()
    try:
        clients = {name: log_in(server, name, token, "echo-message sasl") for (name, _), token in tokens.items()}
        for name, client in clients.items():
            client.send(f"JOIN #{name}")
            client.barrier()
        begun = time.perf_counter()
        for _ in range(TLS_ROUNDS):
            for name, client in clients.items():
                client.send(f"PRIVMSG #{name} :{text()}")
            for client in clients.values():
                client.expect(" PRIVMSG ")
        return TLS_ROUNDS * SENDERS / (time.perf_counter() - begun)
    finally:
        server.stop()


def posting(folder: Path, path: Path) -> None:
    """All in turn, each on a copy of its own."""
    cut_before = partial(raw_inserts, cut_before=True)
    never_moved = partial(raw_inserts, checkpoint_pages=0, cut_before=True)
    baselines: dict[str, Callable[[Path], float]] = {
        "raw inserts": raw_inserts,
        "raw inserts of texts that were cut into words before": cut_before,
        "the same, and the WAL is never moved into the database": never_moved,
    }
    rates: dict[Callable[[Path], float], list[float]] = {what: [] for what in baselines.values()}
    rates[acknowledged_posts] = []
    for run in range(POSTING_RUNS):
        turns = list(rates.items())
        for what, found in (*turns[run % len(turns) :], *turns[: run % len(turns)]):  # each comes behind each
            copy = folder / "copy"
            copy.mkdir()
            shutil.copy(path, copy / path.name)
            os.sync()
            found.append(what(copy / path.name))
            shutil.rmtree(copy)
    ours = statistics.median(rates[acknowledged_posts])
    print(f"acknowledged posts {ours:.0f}/s; beside it")
    for name, what in baselines.items():
        raw = statistics.median(rates[what])
        print(f"  {name}: {raw:.0f}/s, posts are {ours / raw:.2f} of that")


def forgetting(path: Path) -> None:
    """How long the steps of pruning, erasing and making the index anew take, each with its commit, in a server that
    is idle; and beside it how long a ms of nothing but computing takes as often, on this machine.
    """
    store = SqliteStore(path)
    gc.collect()
    gc.freeze()  # as the server does
    store.stage([fx.ErasureBegun(2)])
    store.commit()
    before_us = BEGUN_US + PRUNED_MESSAGES * 1000
    taken: dict[str, list[float]] = {}
    while (what := store.to_forget(before_us, BEGUN_US)) is not None:
        while what is Forgetting.FILES and not store.files_are_clean():
            time.sleep(BUSY_PAUSE_US / 1e6)
        begun = time.perf_counter()
        store.stage([fx.Forgot(what, before_us, BEGUN_US)])
        store.commit()
        taken.setdefault(what.name, []).append((time.perf_counter() - begun) * 1000)
        time.sleep(IDLE_PAUSE_US / 1e6)
        taken.setdefault("(1 ms)", []).append(a_ms_of_computing())
        time.sleep(IDLE_PAUSE_US / 1e6)
        while not store.keeps_up():
            time.sleep(BUSY_PAUSE_US / 1e6)
    for name, times in taken.items():
        longest = sorted(times)
        median, late = longest[len(times) // 2], longest[int(len(times) * 0.99)]
        over = sum(one > STEP_MS for one in times)
        print(
            f"forgetting, {name:8} {len(times)} steps: median {median:.1f} ms, p99 {late:.1f} ms,"
            f" longest {longest[-1]:.0f} ms, {over} over {STEP_MS} ms, {sum(times) / 1000:.1f} s in all"
        )
    store.close()


def a_ms_of_computing() -> float:
    """How many ms pass meanwhile."""
    begun, computed = time.perf_counter(), time.thread_time()
    while time.thread_time() - computed < 0.001:
        pass
    return (time.perf_counter() - begun) * 1000


def starting(path: Path) -> tuple[float, float]:
    """Seconds and MB that a new process takes to open the store and load its state."""
    program = (
        "import resource, time; begun = time.perf_counter();"
        "from pathlib import Path; from secure_chat.storage.sqlite import SqliteStore;"
        f"SqliteStore(Path({str(path)!r})).load();"
        "print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


def main() -> None:
    """Fill, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))  # noqa: S108 - a real disk, unlike /tmp
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        measure(folder, options.messages)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, messages: int) -> None:
    """Print all figures."""
    kind = subprocess.run(["df", "-T", folder], capture_output=True, text=True, check=True).stdout.split()[-7:-5]
    print(f"Disk {' '.join(kind)}: {syncs_per_second(folder):.0f} syncs/s")
    path = folder / "chat.db"
    fill(path, messages)
    seconds, megabytes = starting(path)
    size = path.stat().st_size / 1e6
    print(f"{messages} messages, {size:.0f} MB; loaded in {seconds:.2f} s with {megabytes:.0f} MB of memory")
    reader = HistoryReader(path, "h", Rights.MEMBERSHIP, search_seconds=60)
    one, everywhere = InRoom(1007), 2
    print(
        "LATEST 100:               ", timed(lambda: reader.messages(HistoryQuery(1, one, "#r7", End.NEWEST, 100)))
    )
    for what, who, words in (
        ("common word, 1 room:      ", 1, COMMON),
        ("common word, all rooms:   ", everywhere, COMMON),
        ("two words, all rooms:     ", everywhere, f"{WORDS[77]} {WORDS[88]}"),
        ("prefix, 1 room:           ", 1, "wor*"),
    ):
        query = SearchQuery(who, parse_terms(words), 100)
        print(what, timed(lambda query=query: reader.search(query)))  # type: ignore[misc]
    posting(folder, path)
    print(f"acknowledged posts over TLS, with clients on the same machine: {posts_over_tls(folder):.0f}/s")
    forgetting(path)
    print(f"most memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
