"""What clients saw against what the store holds: judges whether the promise was kept (design §1).

The logs are the clients' own, so that a server that forgets cannot hide it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

SHOWN = 5


class Post(NamedTuple):
    """A post as it was delivered, or as it is kept."""

    msgid: str
    sender: str
    text: str


class Seen(NamedTuple):
    """A line of a log. `again`: the sender's own, after it was sent again: its place in the order is not ours."""

    post: Post
    again: bool = False


@dataclass
class Log:
    """What one person sent, and what each of its connections was shown, in order. Every text is sent once only."""

    name: str
    posted: list[str] = field(default_factory=list)
    connections: list[list[Seen]] = field(default_factory=list)

    def echoed(self) -> set[str]:
        """The texts that came back to their sender."""
        return {seen.post.text for seen in self.seen() if seen.post.sender == self.name}

    def seen(self) -> Iterator[Seen]:
        """Everything, of all connections."""
        for connection in self.connections:
            yield from connection


@dataclass(frozen=True)
class Kept:
    """A room in the store: its posts in order, and the sequences of all that happened there."""

    posts: list[Post]
    sequences: list[int]


def read_kept(database: Path, room: str = "#lobby") -> Kept:
    """The room as it is in the file; no server runs."""
    sql = (
        "SELECT m.sequence, m.kind, m.msgid, a.name, m.text FROM message AS m"
        " JOIN account AS a ON a.id = m.sender_id JOIN conversation AS c ON c.id = m.conversation_id"
        " JOIN room AS r ON r.id = c.room_id WHERE r.name = ? ORDER BY m.sequence"
    )
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(sql, (room,)).fetchall()
    return Kept([Post(*row[2:]) for row in rows if row[1] == "post"], [row[0] for row in rows])


def faults(logs: Sequence[Log], kept: Kept) -> list[str]:
    """What is wrong, in words; nothing where the promise was kept."""
    return [*_in_store(kept), *(fault for log in logs for fault in _in_log(log, kept))]


def _in_store(kept: Kept) -> Iterator[str]:
    gaps = [f"{one} and then {two}" for one, two in pairwise([0, *kept.sequences]) if two != one + 1]
    yield from _told("the store's sequences are not 1, 2, 3, ...", gaps)
    for what in ("msgid", "text"):
        counts = Counter(getattr(post, what) for post in kept.posts)
        yield from _told(f"kept twice by {what}", [one for one, count in counts.items() if count > 1])


def _in_log(log: Log, kept: Kept) -> Iterator[str]:
    posts, echoed = set(kept.posts), log.echoed()
    own = {post.text for post in posts if post.sender == log.name}
    yield from _told(f"{log.name} was shown what is not kept", [s.post for s in log.seen() if s.post not in posts])
    yield from _told(f"{log.name} got no echo", [text for text in log.posted if text not in echoed])
    yield from _told(f"{log.name} sent what is not kept", [text for text in log.posted if text not in own])
    places = {post: place for place, post in enumerate(kept.posts)}
    for connection in log.connections:
        yield from _in_connection(log.name, connection, places)


def _in_connection(name: str, connection: list[Seen], places: dict[Post, int]) -> Iterator[str]:
    counts = Counter(seen.post for seen in connection)
    yield from _told(f"{name} was shown twice", [post for post, count in counts.items() if count > 1])
    live = [(places[seen.post], seen.post) for seen in connection if not seen.again and seen.post in places]
    yield from _told(f"{name} was shown in another order", [two for one, two in pairwise(live) if two <= one])
    if live:
        between = range(min(live)[0], max(live)[0])
        missing = set(between) - {places[post] for post in counts if post in places}
        yield from _told(f"{name} was not shown in between", sorted(missing))


def _told(what: str, things: Iterable[object]) -> Iterator[str]:
    found = list(things)
    if found:
        yield f"{what}: {len(found)}, such as {', '.join(map(str, found[:SHOWN]))}"
