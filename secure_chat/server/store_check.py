"""What `secure-chat check` says of a database that is whole: whether what is in it fits together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import apsw

from secure_chat.findings import Finding, Level, ok, problem
from secure_chat.storage.consistency import Gap, altered_objects, compare_index, gaps
from secure_chat.storage.database import schema_scripts

RESTORE = (
    "Stop the server, keep a copy of the whole folder, and go back to a backup: secure-chat restore FILE --home DIR"
)
MEND_INDEX = "Only the search is wrong. Stop the server, then: secure-chat check --mend-index"
SHOWN = 5
"""So many of a kind are named; the others are counted."""


def judge_contents(connection: apsw.Connection, path: str, version: int) -> Iterator[Finding]:
    """The findings. Reads everything; errors of SQLite pass through."""
    schema = judge_schema(connection, path, version)
    yield schema
    try:
        yield from _judge_messages(connection, path)
        if version < len(schema_scripts()):
            yield ok("The index for searching is not looked at: the next start brings the database up to date.")
        else:
            yield from _judge_index(connection)
    except apsw.SQLError:
        # A table or column is not there, and that was said.
        if schema.level is Level.OK:
            raise


def judge_schema(connection: apsw.Connection, path: str, version: int) -> Finding:
    """Whether the tables, indexes and triggers are ours: one more trigger could do anything."""
    if not (altered := altered_objects(connection, version)):
        return ok(f"{path} has all tables, indexes and triggers of its version.")
    text = f"The schema of {path} is not that of version {version}; it differs in: {_listed(altered)}."
    return problem(text, f"Somebody changed it by hand: undo that. Otherwise: {RESTORE}")


def _judge_messages(connection: apsw.Connection, path: str) -> Iterator[Finding]:
    found = gaps(connection)
    yield from map(_of_gap, found[:SHOWN])
    if len(found) > SHOWN:
        yield problem(f"There are {len(found) - SHOWN} more such places in {path}.", RESTORE)
    if not found:
        yield ok("The messages of each conversation are numbered without a gap.")


def _of_gap(gap: Gap) -> Finding:
    if gap.last < gap.first:
        text = f"In the conversation {gap.conversation} {_numbers(gap.last + 1, gap.first - 1)} there, uncounted."
        return problem(text, f"What is said there next may be refused. {RESTORE}")
    which = _numbers(gap.first, gap.last)
    remedy = f"The others can be read as before. To get those back: {RESTORE}"
    return problem(f"In the conversation {gap.conversation} {which} missing.", remedy)


def _numbers(first: int, last: int) -> str:
    return f"message {first} is" if first == last else f"messages {first} to {last} are"


def _judge_index(connection: apsw.Connection) -> Iterator[Finding]:
    index = compare_index(connection)
    for numbers, text in (
        (index.missing, "cannot be found by searching: the index does not have them"),
        (index.other_words, "are found by other words than they hold"),
        (index.stray, "are in the index for searching, and are no messages"),
    ):
        if numbers:
            yield problem(f"{len(numbers)} messages (numbers {_listed(numbers)} in the table) {text}.", MEND_INDEX)
    if index.ahead:
        yield problem("What is said next could not be found by searching: the index would skip it.", MEND_INDEX)
    if not (index.missing or index.stray or index.other_words or index.ahead):
        yield ok("The index for searching has the words of each message, and no others.")


def _listed(things: Sequence[object]) -> str:
    more = f" and {len(things) - SHOWN} more" if len(things) > SHOWN else ""
    return ", ".join(map(str, things[:SHOWN])) + more
