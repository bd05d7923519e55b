"""Who may read what (issue 5, section 1): one rule, for every way of reading and every account."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_chat.chat.history import Rights
from secure_chat.storage import searching
from secure_chat.storage.chapters import index_rest
from secure_chat.storage.database import open_database
from secure_chat.storage.exporting import ExportQuery, read_everything
from tests.conversation.wire import Seen
from tests.conversation.world import POST_ID, WORD, Entry, World

PEOPLE = ("ann", "bob", "cat", "dan", "eve", "fay", "gil", "hal")
NOWHERE = "#nowhere"
EVER = "timestamp=1970-01-01T00:00:00.000Z timestamp=9999-12-31T23:59:59.999Z"
pytestmark = pytest.mark.once


def history(world: World) -> None:
    """Bob comes late, leaves and comes back; Cat is kicked; Dan is kicked and comes back; Eve is never in #tea; Fay
    is removed, Gil is removed and erased; Hal ignores Bob; Cat is banned from #open.
    """
    world.join("ann", "#tea", "#den", "#open")
    world.do("ann", "MODE #den +s")
    world.do("ann", "MODE #open -n")
    world.say("ann", "#tea", "#den", "#open")
    for name in ("cat", "dan", "fay", "gil", "hal"):
        world.join(name, "#tea")
        world.say(name, "#tea")
    world.join("bob", "#tea", "#den")
    world.say("bob", "#tea", "#den", "ann", "cat", "hal", "bob")
    world.say("eve", "#open", "ann", "bob")
    world.ignore("hal", "bob")
    world.say("ann", "#tea", "bob", command="NOTICE")
    world.part("bob", "#tea")
    world.do("ann", "TOPIC #tea :news")
    world.kick("ann", "#tea", "cat")
    world.say("dan", "#tea", "fay", "gil")
    world.say("fay", "dan", "#tea")
    world.say("gil", "dan", "#tea")
    world.remove("fay")
    world.kick("ann", "#tea", "dan")
    world.say("hal", "#tea", "bob")
    world.remove("gil", erase=True)
    world.join("bob", "#tea")
    world.say("bob", "#tea", "hal")
    world.join("cat", "#open")
    world.say("cat", "#open")
    world.ban("ann", "#open", "cat")
    world.join("dan", "#tea")
    world.part("bob", "#den")
    world.say("ann", "#den", "#tea", "#open")


@pytest.fixture(scope="module", params=Rights, ids=lambda rights: rights.value)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The world after all that; nothing in it is changed by reading."""
    made = World(tmp_path_factory.mktemp("world") / "chat.db", request.param, *PEOPLE)
    history(made)
    yield made
    made.house.stop()


def readers(world: World) -> list[str]:
    """Who can still log in."""
    return [name for name in world.clients if name not in world.removed]


def places(world: World, reader: str) -> list[str | frozenset[str]]:
    """All rooms, and all conversations that the reader could have."""
    return [*world.members, *(frozenset((reader, other)) for other in world.clients)]


def is_known(world: World, reader: str, place: str | frozenset[str]) -> bool:
    """Whether the reader may know that there is such a room."""
    return not isinstance(place, str) or reader in world.was_member[place]


def msgids(entries: Iterable[Entry]) -> list[str]:
    return [entry.msgid for entry in entries]


def got(answer: list[Seen]) -> list[str]:
    """The messages in an answer, or the code of the refusal."""
    return [seen.params[1] if seen.command == "FAIL" else seen.tags["msgid"] for seen in answer]


def test_the_world_has_something_to_show_and_something_to_hide(world: World) -> None:
    for name in readers(world):
        shown = set(msgids(world.readable(name)))
        assert shown, name
        assert shown != set(world.log), name
    by_rights = len(list(world.readable("dan", "#tea")))
    assert (by_rights == len(list(world.readable("ann", "#tea")))) == (world.rights is Rights.ROOM)
    assert sum(entry.sender in world.erased for entry in world.log.values()) == 4


def test_the_whole_history_of_each_place(world: World) -> None:
    for reader in readers(world):
        for place in places(world, reader):
            answer = world.ask(reader, f"CHATHISTORY LATEST {world.name_of(reader, place)} * 1000")
            if is_known(world, reader, place):
                assert got(answer) == msgids(world.readable(reader, place)), (reader, place)
            else:
                assert got(answer) == ["INVALID_TARGET"], (reader, place)
        assert got(world.ask(reader, f"CHATHISTORY LATEST {NOWHERE} * 1000")) == ["INVALID_TARGET"]


@pytest.mark.parametrize("by", ["msgid", "timestamp"])
def test_history_from_each_message_on(world: World, by: str) -> None:
    for reader in readers(world):
        for place in places(world, reader):
            whole = [entry for entry in world.log.values() if entry.place == place]
            for number, entry in enumerate(whole):
                wanted = from_here(world, reader, whole, entry)
                # Every message in one way, every sixth in all: there are many.
                for question in list(wanted)[number % 2 : number % 2 + 1] if number % 6 else wanted:
                    check_from(world, reader, question, entry, by, wanted[question])


def from_here(world: World, reader: str, whole: list[Entry], here: Entry) -> dict[str, list[str]]:
    """Questions about a place from one of its messages on, and what is to be answered; `{}` is the point."""
    number = whole.index(here)
    before, after = ([e for e in part if world.shows(reader, e)] for part in (whole[:number], whole[number + 1 :]))
    both = before + ([here] if world.shows(reader, here) else []) + after
    target, end = world.name_of(reader, here.place), f"timestamp={whole[-1].time}"
    between = [entry for entry in after if entry is not whole[-1]]
    return {
        f"BEFORE {target} {{}} 1000": msgids(before),
        f"AFTER {target} {{}} 1000": msgids(after),
        f"BEFORE {target} {{}} 2": msgids(before[-2:]),
        f"AFTER {target} {{}} 2": msgids(after[:2]),
        f"LATEST {target} {{}} 1000": msgids(after),
        f"AROUND {target} {{}} 1000": msgids(both),
        f"BETWEEN {target} {{}} {end} 1000": msgids(between),
        f"BETWEEN {target} {end} {{}} 1000": msgids(between),
    }


def check_from(world: World, reader: str, question: str, here: Entry, by: str, wanted: list[str]) -> None:
    """The answer is as wanted, or that there is no such place or point."""
    point = f"{by}={here.msgid if by == 'msgid' else here.time}"
    answer = got(world.ask(reader, f"CHATHISTORY {question.format(point)}"))
    if not is_known(world, reader, here.place):
        wanted = ["INVALID_TARGET"]
    elif by == "msgid" and here.sender in world.erased:
        assert answer in (wanted, ["MESSAGE_ERROR"]), (reader, question, here)
        return
    elif by == "msgid" and not world.may_read(reader, here):
        wanted = ["MESSAGE_ERROR"]
    assert answer == wanted, (reader, question, here)


def test_a_message_of_another_place_is_no_way_in(world: World) -> None:
    for reader in readers(world):
        for place in places(world, reader):
            if not is_known(world, reader, place):
                continue
            for entry in [entry for entry in world.log.values() if entry.place != place][::5]:
                question = f"CHATHISTORY AROUND {world.name_of(reader, place)} msgid={entry.msgid} 9"
                assert got(world.ask(reader, question)) == ["MESSAGE_ERROR"], (reader, place)


def test_targets(world: World) -> None:
    for reader in readers(world):
        last = {
            world.name_of(reader, entry.place): entry.time
            for entry in world.readable(reader)
            if entry.was_said and (isinstance(entry.place, str) or reader in entry.place)
        }
        answer = world.ask(reader, f"CHATHISTORY TARGETS {EVER} 1000")
        assert {seen.params[1]: seen.params[2] for seen in answer} == last, reader
        for name, time in last.items():
            # Between two times: by the last message that may be seen, whatever came after it.
            answer = world.ask(reader, f"CHATHISTORY TARGETS timestamp=1970-01-01T00:00:00Z timestamp={time} 1000")
            earlier = {one: when for one, when in last.items() if when < time}
            assert {seen.params[1]: seen.params[2] for seen in answer} == earlier, (reader, name)


def test_search(world: World) -> None:
    for reader in readers(world):
        found = [entry for entry in world.readable(reader) if entry.was_said]
        assert got(world.ask(reader, f"SEARCH text={WORD}")) == msgids(found), reader
        assert got(world.ask(reader, "SEARCH after=1970-01-01T00:00:00Z")) == msgids(found), reader
        for place, words in product(places(world, reader), (f"text={WORD};", "")):
            answer = got(world.ask(reader, f"SEARCH {words}in={world.name_of(reader, place)}"))
            known = is_known(world, reader, place)
            here = msgids(entry for entry in found if entry.place == place)
            assert answer == (here if known else ["INVALID_TARGET"]), (reader, place)
        for other, words in product(world.clients, (f"text={WORD};", "")):
            answer = got(world.ask(reader, f"SEARCH {words}from={other}"))
            assert answer == msgids(entry for entry in found if entry.sender == other), (reader, other)


@pytest.mark.parametrize("few", [searching.FEW_MESSAGES, 0])
def test_search_by_the_index(world: World, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In both ways; what was said just now is not in it yet."""
    connection = open_database(world.house.path)
    index_rest(connection)
    connection.close()
    monkeypatch.setattr(searching, "FEW_MESSAGES", few)
    test_search(world)


def test_read_markers(world: World) -> None:
    for reader in readers(world):
        for place in [*places(world, reader), NOWHERE]:
            name = world.name_of(reader, place)
            for point in ("", " timestamp=2026-01-01T00:00:01.000Z"):
                (answer,) = world.ask(reader, f"MARKREAD {name}{point}")
                may = not isinstance(place, str) or reader in world.members.get(place, set())
                assert answer.command == ("MARKREAD" if may else "FAIL"), (reader, place)
                # Of a room that one may not know the answer is that of one that there is not.
                assert may or answer.params == ("MARKREAD", "INVALID_TARGET", name, answer.params[-1])
                assert all(not client.unread for client in world.clients.values()), "others hear of it"


def replayed(world: World, device: str, *capabilities: str) -> list[Seen]:
    """What a device that was never here is given."""
    client = world.house.log_in(device, ["message-tags", *capabilities])
    world.house.vanish(client)
    for one in world.clients.values():
        one.unread.clear()
    return client.all


@pytest.mark.parametrize("echo", [True, False])
def test_what_a_new_device_is_given(world: World, echo: bool) -> None:
    for reader in readers(world):
        echoes = ["echo-message"] if echo else []
        lines = replayed(world, f"{reader}@{'tablet' if echo else 'telephone'}", "batch", *echoes)
        came = [seen.tags["msgid"] for seen in lines if "batch" in seen.tags]
        wanted = [
            entry
            for entry in world.readable(reader)
            if entry.was_said
            and (echo or isinstance(entry.place, str) or entry.sender != reader or entry.place == {reader})
        ]
        # Conversation by conversation.
        assert sorted(came) == sorted(msgids(wanted)), reader
        order = msgids(world.log.values())
        assert [one for one in came if world.log[one].place == "#tea"] == [
            one for one in order if one in came and world.log[one].place == "#tea"
        ]


def test_a_new_device_is_told_of_no_more_than_may_be_read(tmp_path: Path) -> None:
    world = World(tmp_path / "chat.db", Rights.MEMBERSHIP, *PEOPLE, replay_messages=1)
    history(world)
    for reader in readers(world):
        lines = replayed(world, f"{reader}@tablet", "batch", "echo-message")
        counts = [int(seen.params[1].split()[0]) for seen in lines if " were missed before these" in seen.text]
        wanted = []
        for place in places(world, reader):
            count = sum(entry.was_said for entry in world.readable(reader, place))
            wanted += [count - 1] if count > 1 else []
        assert sorted(counts) == sorted(wanted), reader
    world.house.stop()


def test_export(world: World) -> None:
    for reader in world.clients:
        if reader in world.erased:  # and with it when it was where
            continue
        answer = world.house.ask("export", target=reader)
        query = ExportQuery(reader_id=answer["reader_id"], rights=Rights(answer["rights"]))
        exported = [one.msgid for one in read_everything(world.house.path, query)]
        assert exported == [entry.msgid for entry in world.log.values() if world.may_read(reader, entry)], reader


def test_nobody_gets_the_name_of_an_account_that_was_removed(world: World) -> None:
    """What was said to it would be theirs."""
    for name in world.removed:
        assert "error" in world.house.ask("user add", name=name, password="seven green kettles")


def test_a_repeated_post_is_echoed_to_its_sender_alone(tmp_path: Path) -> None:
    world = World(tmp_path / "chat.db", Rights.MEMBERSHIP, "ann", "bob", "eve")
    world.join("ann", "#tea")
    world.join("bob", "#tea")
    line = f"@{POST_ID}=same PRIVMSG #tea :once"
    (first,) = world.ask("ann", line)
    (repeated,) = world.ask("ann", line)
    assert repeated.tags["msgid"] == first.tags["msgid"]
    # Others have got it once, or not at all.
    assert got(list(world.clients["bob"].unread)) == got([first])
    assert not world.clients["eve"].unread
    # Another device of Ann's gets the echo, and only that one.
    laptop = world.house.log_in("ann@laptop", ["message-tags", "echo-message", POST_ID])
    world.house.say(laptop, line)
    assert got(list(laptop.unread)) == got([first])
    assert not any(client.unread for client in world.clients.values())
    # With somebody else's id there is nothing of theirs to get.
    (other,) = world.ask("bob", line)
    assert other.tags["msgid"] != first.tags["msgid"]
    (refusal,) = world.ask("eve", line)
    assert refusal.command == "404"
    world.house.stop()


@pytest.mark.parametrize("rights", Rights)
def test_comings_and_goings_in_one_tick(tmp_path: Path, rights: Rights) -> None:
    world = World(tmp_path / "chat.db", rights, "ann", "bob", "cat")
    world.join("ann", "#tea")
    says, comes, goes = ("ann", "PRIVMSG"), ("bob", "JOIN"), ("bob", "PART")
    world.at_once("#tea", says, comes, says, goes, says, comes, goes, comes, ("cat", "JOIN"), says, goes, says)
    world.at_once("#tea", says, comes, goes)
    world.at_once("#tea", says, comes, ("bob", "PRIVMSG"))
    for check in (test_the_whole_history_of_each_place, test_search, test_export):
        check(world)
    test_what_a_new_device_is_given(world, echo=True)
    world.house.stop()


WHO = st.sampled_from(("bob", "cat"))
ACTS = st.lists(st.tuples(st.sampled_from(("come", "go", "kick", "say", "ann says")), WHO), max_size=16)


@settings(max_examples=12, deadline=None)
@given(acts=ACTS, rights=st.sampled_from(Rights))
def test_any_comings_and_goings(acts: list[tuple[str, str]], rights: Rights) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "chat.db", rights, "ann", "bob", "cat")
        world.join("ann", "#tea")
        for act, name in acts:
            is_in = name in world.members["#tea"]
            match act:
                case "come" if not is_in:
                    world.join(name, "#tea")
                case "go" if is_in:
                    world.part(name, "#tea")
                case "kick" if is_in:
                    world.kick("ann", "#tea", name)
                case "say" if is_in:
                    world.say(name, "#tea")
                case "ann says":
                    world.say("ann", "#tea")
        for check in (test_the_whole_history_of_each_place, test_search, test_targets, test_export):
            check(world)
        world.house.stop()
