"""An export of an account is all that it may read, by the one rule of who may read what; of a room, all of it."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from secure_chat.chat.history import End, HistoryQuery, Rights
from secure_chat.chat.messages import Between, Conversation, InRoom
from secure_chat.chat.settings import Settings
from secure_chat.storage import exporting
from secure_chat.storage.exporting import ExportQuery, read_everything
from secure_chat.storage.history import HistoryReader
from secure_chat.storage.visibility import NoSuchPlace
from tests.conversation.house import House

PEOPLE = ("ann", "bob", "eve", "root")
pytestmark = pytest.mark.once


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Comings and goings in two rooms and in private, with what was said before, between and after."""
    house = House(tmp_path / "chat.db", Settings(lobby="#lobby", grace_seconds=0))
    for name in PEOPLE:
        house.add_account(name)
    ann, bob, eve, _ = (house.log_in(name, ["message-tags"]) for name in PEOPLE)
    for step, (who, line) in enumerate(
        [
            (ann, "JOIN #tea"),
            (ann, "PRIVMSG #tea :before bob"),
            (bob, "JOIN #tea"),
            (ann, "@+mood=happy PRIVMSG #tea :with bob"),
            (bob, "PART #tea :I go"),
            (ann, "TOPIC #tea :without bob"),
            (bob, "JOIN #tea"),
            (ann, "KICK #tea bob :out"),
            (ann, "NOTICE #tea :after bob"),
            (eve, "JOIN #cake"),
            (eve, "MODE #cake +s"),
            (eve, "PRIVMSG #cake :alone"),
            (eve, "PRIVMSG ann :from eve"),
            (ann, "PRIVMSG eve :from ann"),
            (ann, "PRIVMSG ann :to myself"),
            (bob, "PRIVMSG #lobby :to all"),
        ]
    ):
        house.now_us += step
        house.say(who, line)
    assert house.ask("user remove", name="eve")["name"] == "eve"
    return house


def ids(house: House) -> dict[str, int]:
    """The account's numbers."""
    return {account.name: account.id for account in house.hub.accounts.values()}


def places(house: House, reader: int) -> list[Conversation]:
    """Every conversation that there could be."""
    people = ids(house).values()
    return [*(InRoom(room_id) for room_id in house.hub.rooms), *(Between(reader, other) for other in people)]


@pytest.mark.parametrize(("name", "rights"), list(product(PEOPLE, Rights)))
def test_an_account_gets_what_it_may_read(house: House, name: str, rights: Rights) -> None:
    """The same as the history of all its conversations together."""
    reader_id = ids(house)[name]
    reader = HistoryReader(house.path, "h", rights)
    expected = set()
    for place in places(house, reader_id):
        try:
            page = reader.messages(HistoryQuery(reader_id, place, "x", End.OLDEST, 1000, events=True))
        except NoSuchPlace:
            continue
        expected |= {one.msgid for one in page}
    got = [one.msgid for one in read_everything(house.path, ExportQuery(reader_id=reader_id, rights=rights))]
    assert set(got) == expected
    assert len(got) == len(expected)
    house.stop()


def test_a_room_is_whole(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the owner, however it is cut into pages; in order, with all that there is to say of a message."""
    room = house.hub.room_named("#tea")
    assert room is not None
    pages = []
    for size in (1, 3, 5_000):
        monkeypatch.setattr(exporting, "PAGE_IDS", size)
        pages.append(list(read_everything(house.path, ExportQuery(room_id=room.id))))
    assert pages[0] == pages[1] == pages[2]
    said = [(one.sender, one.kind.value, one.subject, one.text) for one in pages[0]]
    assert said == [
        ("ann", "join", None, ""),
        ("ann", "post", None, "before bob"),
        ("bob", "join", None, ""),
        ("ann", "post", None, "with bob"),
        ("bob", "part", None, "I go"),
        ("ann", "topic", None, "without bob"),
        ("bob", "join", None, ""),
        ("ann", "kick", "bob", "out"),
        ("ann", "notice", None, "after bob"),
    ]
    assert dict(pages[0][3].client_tags) == {"+mood": "happy"}
    assert {(one.room, one.recipient) for one in pages[0]} == {("#tea", None)}
    house.stop()


def test_what_bob_ignores_is_his_all_the_same(house: House) -> None:
    """Ignoring is about what one is shown."""
    people = ids(house)
    house.say(house.clients[2], "IGNORE ann")
    assert house.hub.ignores(people["bob"], people["ann"])
    texts = [one.text for one in read_everything(house.path, ExportQuery(reader_id=ids(house)["bob"]))]
    assert "with bob" in texts
    assert "before bob" not in texts
    house.stop()


def test_what_was_erased_is_not_exported(house: House) -> None:
    """Nothing of it, to nobody."""
    assert house.ask("user remove", name="ann", messages="erase")["erasing"] == "ended"
    room = house.hub.room_named("#tea")
    assert room is not None
    assert {one.sender for one in read_everything(house.path, ExportQuery(room_id=room.id))} == {"bob"}
    private = [one for one in read_everything(house.path, ExportQuery(reader_id=ids(house)["eve"])) if not one.room]
    assert [(one.sender, one.recipient, one.text) for one in private] == [("eve", "ann", "from eve")]
    house.stop()


def test_nothing_was_said(tmp_path: Path) -> None:
    """An empty database is no error."""
    house = House(tmp_path / "chat.db")
    assert list(read_everything(house.path, ExportQuery(reader_id=1))) == []
    house.stop()
