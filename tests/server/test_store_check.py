"""What `secure-chat check` finds beyond the doctor: a home whose database is whole, but does not fit together."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from secure_chat.findings import Finding, Level
from secure_chat.server.doctor import examine_home
from secure_chat.server.home import Home, HomeInUse, HomeLock
from secure_chat.server.mending import CannotMend, mend
from secure_chat.storage.database import APPLICATION_ID, add_functions, schema_scripts
from tests.conftest import Start
from tests.e2e.irc_client import log_in
from tests.server.said import ROOM_POSTS, UNINDEX, say_something, statements

INDEX = "INSERT INTO message_words_1 (rowid, place, words) VALUES"
pytestmark = pytest.mark.once


@pytest.fixture
def talked(home: Path) -> Path:
    """A home in which something was said."""
    (home / "config.toml").unlink()
    say_something(home)
    return home


def check(home: Path) -> list[Finding]:
    """The findings; nothing of the home is changed."""
    before = (home / "chat.db").read_bytes()
    findings = list(examine_home(Home(home), home / "certs", None, now=datetime.now(UTC), thorough=True))
    assert (home / "chat.db").read_bytes() == before
    assert all(finding.remedy for finding in findings if finding.level is not Level.OK)
    return findings


def bad(home: Path) -> list[str]:
    return [f"{one.text} {one.remedy}" for one in check(home) if one.level is not Level.OK]


def test_a_home_that_is_well(talked: Path) -> None:
    findings = check(talked)
    assert {finding.level for finding in findings} == {Level.OK}
    text = "\n".join(finding.text for finding in findings)
    for words in ("is sound", "all tables", "without a gap", "words of each message", "this database's"):
        assert words in text


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DELETE FROM message WHERE msgid = 'm2'", "In the conversation #tea message 3 is missing."),
        (
            "DELETE FROM message WHERE sequence IN (2, 3, 4)",
            "In the conversation #tea messages 2 to 4 are missing.",
        ),
        ("DELETE FROM message WHERE msgid = 'm0'", "#tea message 1 is missing"),
        (
            "DELETE FROM message WHERE msgid = 'private'; UPDATE tick SET indexed_id = indexed_id - 1",
            " and ",
        ),
        ("UPDATE conversation SET next_sequence = 9 WHERE room_id = 77", "#tea message 8 is missing"),
        (
            "UPDATE conversation SET next_sequence = 6 WHERE room_id = 77",
            "#tea messages 6 to 7 are there, uncounted",
        ),
    ],
)
def test_sequences(talked: Path, sql: str, words: str) -> None:
    statements(talked, f"PRAGMA foreign_keys=OFF; {sql}")
    mend(Home(talked))
    (found,) = bad(talked)
    assert words in found
    assert "secure-chat restore FILE" in found


def test_what_was_pruned_or_erased_is_not_missing(talked: Path) -> None:
    """The oldest are gone as rows, and first_sequence says so; an erased one stays as a row without words."""
    statements(
        talked,
        f"{UNINDEX} AND id IN (1, 2, 4); DELETE FROM message WHERE id IN (1, 2);"
        "UPDATE conversation SET first_sequence = 3 WHERE room_id = 77;"
        "UPDATE message SET kind = 'erased', text = '' WHERE id = 4",
    )
    assert bad(talked) == []
    statements(talked, "UPDATE conversation SET first_sequence = 2 WHERE room_id = 77")
    (found,) = bad(talked)
    assert "#tea message 2 is missing" in found
    statements(talked, "UPDATE conversation SET first_sequence = 4 WHERE room_id = 77")
    (found,) = bad(talked)
    assert "#tea message 3 is there, uncounted" in found


def test_more_gaps_than_are_shown(talked: Path) -> None:
    statements(
        talked,
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 8)"
        " INSERT INTO room (id, name, folded, created_us, flags)"
        " SELECT 100 + n, '#r' || n, '#r' || n, 1, '' FROM n;"
        "INSERT INTO conversation (room_id, next_sequence) SELECT id, 3 FROM room WHERE id > 100",
    )
    found = bad(talked)
    assert len(found) == 6
    assert "3 more such places" in found[-1]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (f"{UNINDEX} AND id = 3", "1 messages (numbers 3 in the table) cannot be found"),
        (
            f"{INDEX} (999, 'c1', 'x')",
            "(numbers 999 in the table) are in",
        ),
        (
            f"{INDEX} (7, 'c1', 'x')",
            "(numbers 7 in the table) are in the",
        ),
        (
            "UPDATE message SET text = 'coffee' WHERE id = 2",
            "1 messages (numbers 2 in the table) are found by other",
        ),
        (
            f"{UNINDEX} AND id = 2; {INDEX} (2, '0c2', '0kettle 0number1')",
            "(numbers 2 in the",
        ),
        ("UPDATE tick SET indexed_id = 999", "What is said next could not be found"),
        (UNINDEX, f"{ROOM_POSTS + 1} messages (numbers 1, 2, 3, 4, 5 and 2 more in the"),
        ("DROP TABLE message_words_1; DELETE FROM index_table", f"{ROOM_POSTS + 1} messages (numbers 1, 2, 3, 4"),
    ],
)
def test_the_index(talked: Path, sql: str, words: str) -> None:
    """Each is found and can be mended."""
    statements(talked, sql)
    (found,) = bad(talked)
    assert words in found
    assert "check --mend-index" in found
    mend(Home(talked))
    assert bad(talked) == []


def test_the_index_itself_is_damaged(talked: Path) -> None:
    statements(talked, "DELETE FROM message_words_1_data WHERE id > 10")
    (found,) = bad(talked)
    assert "is damaged" in found or "cannot be read" in found


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("DROP INDEX message_at", "index message_at"),
        ("DROP TRIGGER audit_is_not_changed", "trigger audit_is_not_changed"),
        ("CREATE TRIGGER mine AFTER INSERT ON login BEGIN SELECT 1; END", "trigger mine"),
        ("ALTER TABLE login ADD COLUMN more TEXT", "table login"),
        ("DROP TABLE message_words_1", "table message_words_1"),
        ("CREATE TRIGGER message_words_1_x AFTER INSERT ON login BEGIN SELECT 1; END", "trigger message_words_1_x"),
        ("CREATE TABLE message_words_2 (x)", "table message_words_2"),
        ("CREATE TABLE message_words_1_docsize (x)", "table message_words_1_docsize"),
    ],
)
def test_a_schema_that_somebody_changed(talked: Path, sql: str, name: str) -> None:
    statements(talked, sql)
    (found,) = bad(talked)
    assert found.partition("differs in: ")[2].startswith(f"{name}.")


def test_a_volume_that_is_not_listed(talked: Path) -> None:
    """It is one table too many, and its messages cannot be found."""
    statements(talked, "DELETE FROM index_table")
    schema, index = bad(talked)
    assert "differs in: table message_words_1, table message_words_1_config," in schema
    assert "cannot be found" in index
    mend(Home(talked))
    assert bad(talked) == []


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE message_words_2 (x); CREATE TABLE message_words_3_data (x)",
        "DROP TABLE message_words_1",
        "INSERT INTO index_table (volume, state) VALUES (8, 'used')",
    ],
)
def test_an_index_that_is_not_as_it_is_listed_can_be_mended(talked: Path, sql: str) -> None:
    statements(talked, sql)
    assert bad(talked)
    mend(Home(talked))
    assert bad(talked) == []


@pytest.mark.parametrize("row", ["'x', 0", "NULL, 0", "1, NULL", "1, 'x'"])
def test_a_list_of_the_index_that_may_be_anything(talked: Path, row: str) -> None:
    """It is told, and nothing else goes wrong."""
    statements(
        talked,
        "DROP TABLE index_table; CREATE TABLE index_table (number, volume, state, stale DEFAULT 0, made_to);"
        f"INSERT INTO index_table (number, volume, state) VALUES ({row}, 'used')",
    )
    found = bad(talked)
    assert "table index_table, table message_words_1," in found[0]


def test_one_more_and_one_less_with_the_same_words(talked: Path) -> None:
    """In the same conversation: each word is in as many messages as it should be."""
    same = "SELECT 999, indexed_place(id, conversation_id), indexed_words(id, text) FROM message WHERE id = 2"
    statements(talked, f"{UNINDEX} AND id = 2; {INDEX.removesuffix('VALUES')} {same}")
    missing, stray = bad(talked)
    assert "(numbers 2 in the table) cannot be found" in missing
    assert "(numbers 999 in the table) are in the index" in stray


def test_words_that_will_go_are_no_fault(talked: Path) -> None:
    """Of a message that is gone, while the volume waits to be made anew; but not of one that never was."""
    statements(talked, "UPDATE message SET kind = 'erased', text = '' WHERE id = 4")
    assert "(numbers 4 in the table) are in the index" in bad(talked)[0]
    statements(talked, "UPDATE index_table SET stale = 1")
    assert bad(talked) == []
    statements(talked, f"{INDEX} (999, '0c1', '0x')")
    assert "(numbers 999 in the table) are in the index" in bad(talked)[0]


def test_a_change_of_the_schema_hides_nothing_else(talked: Path) -> None:
    statements(talked, f"CREATE INDEX mine ON message (text); {UNINDEX} AND id = 1")
    schema, index = bad(talked)
    assert "index mine" in schema
    assert "cannot be found" in index


def test_a_database_of_an_older_version(talked: Path) -> None:
    """Read as far as that can be done; nothing brings it up to date."""
    (talked / "chat.db").unlink()
    old = apsw.Connection(str(talked / "chat.db"))
    for script in schema_scripts()[:3]:
        old.execute(script)
    old.execute(f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version=3").fetchall()
    old.close()
    (talked / "chat.db").chmod(0o600)
    texts = [finding.text for finding in check(talked) if finding.level is Level.OK]
    assert any("has schema 3" in text for text in texts)
    assert any("is not looked at" in text for text in texts)


def test_bytes_that_changed(talked: Path) -> None:
    """Text in the middle of a page: SQLite itself does not notice, the index does."""
    data = (talked / "chat.db").read_bytes()
    assert data.count(b"kettle number3") == 1
    (talked / "chat.db").write_bytes(data.replace(b"kettle number3", b"kettle nuXber3"))
    (found,) = bad(talked)
    assert "(numbers 4 in the table) are found by other words" in found


def test_what_the_doctor_looks_at_is_in_it(talked: Path) -> None:
    (talked / "pepper").write_text("00" * 32)
    (talked / "pepper").chmod(0o644)
    found = bad(talked)
    assert any("chmod 600" in text for text in found)
    assert any("not the pepper of this database" in text for text in found)


def test_while_a_server_runs_and_after_a_crash(talked: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start().wait_until_ready()
    alice = log_in(server, "alice")
    alice.send("PRIVMSG #lobby :more words")
    alice.expect("more words")
    assert bad(talked) == []
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1, "total": 1}))
        assert any("TMPDIR" in text for text in bad(talked))
    with pytest.raises(HomeInUse):
        mend(Home(talked))
    server.kill()
    assert bad(talked) == []
    writer = apsw.Connection(str(talked / "chat.db"))
    add_functions(writer)
    writer.execute(f"{UNINDEX} AND id = 1")
    lock = HomeLock(Home(talked), purpose="a test")
    (found,) = bad(talked)
    assert "cannot be found" in found
    lock.release()
    writer.close()


def test_no_home_to_mend(tmp_path: Path) -> None:
    with pytest.raises(CannotMend, match="--home"):
        mend(Home(tmp_path))
