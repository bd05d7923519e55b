"""What came in private while nobody was here: found, shown once, counted, marked read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from secure_chat.client.catching_up import FIRST, LAST
from secure_chat.client.events import Event, Told
from secure_chat.protocol.message import Message
from tests.client.talk import ALL, ME, Talk, words

Kept = tuple[str, str, str]
"""When, from whom, to whom; the text tells it all, and is the msgid too."""


def at(minute: int, second: int = 0) -> str:
    return f"2026-11-20T10:{minute:02}:{second:02}.000Z"


class Keeper:
    """The server's side of a talk: it keeps messages in private and markers, and answers what is asked of them."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.said: list[Kept] = []
        self.markers: dict[str, str] = {}
        self.refuses: Callable[[Message], bool] = lambda message: False
        self.asked: list[Message] = []

    def keep(self, minute: int, sender: str, target: str = "ivan") -> str:
        """Keep a message; its line as it goes out now."""
        self.said.append((at(minute), sender, target))
        return self.line(self.said[-1])

    def line(self, kept: Kept, batch: str = "") -> str:
        time, sender, target = kept
        text = f"{sender}-{time[14:16]}"
        return f"@{batch}msgid={text};time={time} :{sender}!chat@stub PRIVMSG {target} :{text}"

    def serve(self, sent: Sequence[Message]) -> None:
        """Answer everything, and what is sent then."""
        todo = list(sent)
        while todo:
            message = todo.pop(0)
            todo += self.talk.server(*self.answers(message))

    def answers(self, message: Message) -> list[str]:
        label = message.tags.get("label", "")
        self.asked.append(message)
        match message.params:
            case (token,) if message.command == "PING":
                return [f":stub PONG stub :{token}"]
            case _ if self.refuses(message):
                return [f"@label={label} :stub FAIL {message.command} INVALID_TARGET :no such messages"]
            case (name,) if message.command == "MARKREAD":
                return [f"@label={label} :stub MARKREAD {name} {self.markers.get(name, '*')}"]
            case (name, point) if message.command == "MARKREAD":
                self.markers[name] = point
                return [f":stub MARKREAD {name} {point}"]
            case ("TARGETS", _latest, since, _limit):
                return self.batch(label, "draft/chathistory-targets", self.targets(since))
            case ("LATEST" | "AFTER" as act, name, since, limit):
                found = [kept for kept in self.said if name in kept[1:] and self.is_after(kept[0], since)]
                found = found[-int(limit) :] if act == "LATEST" else found[: int(limit)]
                lines = [self.line(kept, "batch=h;") for kept in found]
                return self.batch(label, f"chathistory {name}", lines)
        return []

    def targets(self, since: str) -> list[str]:
        last = {other: time for time, *ends in self.said for other in ends if other != "ivan"}
        lines = [f"@batch=h :stub CHATHISTORY TARGETS {name} {time}" for name, time in last.items()]
        rooms = [f"@batch=h :stub CHATHISTORY TARGETS #tea {at(0)}"]
        return rooms + [line for line in lines if self.is_after(line.rpartition(" ")[2], since)]

    @staticmethod
    def is_after(time: str, since: str) -> bool:
        return since == "*" or time > since.removeprefix("timestamp=")

    @staticmethod
    def batch(label: str, kind: str, lines: list[str]) -> list[str]:
        return [f"@label={label} :stub BATCH +h {kind}", *lines, ":stub BATCH -h"]

    def come(self) -> None:
        """The client logs in, and is answered up to its end."""
        self.talk.connect()
        self.talk.server("AUTHENTICATE +", ":stub 903 ivan :ok", ":stub 001 ivan :Welcome")
        (ping,) = self.talk.server(":stub 422 ivan :No MOTD")
        self.talk.server(f"@time={at(0)} :{ME} JOIN #lobby ivan :ivan")
        self.serve(self.talk.server(f":stub PONG stub :{ping.params[0]}"))


@pytest.fixture
def keeper() -> Keeper:
    """Nothing is kept yet."""
    return Keeper(Talk())


def shown(talk: Talk) -> list[str]:
    """What was shown since last asked, with the place of what nobody said."""
    talk.sent()
    events: list[Event] = talk.shown
    talk.shown = []
    return [f"{event.place}: {event.text}" if isinstance(event, Told) else event.text for event in events][1:]


def test_what_is_unread_in_private_is_shown_at_the_start(keeper: Keeper) -> None:
    keeper.keep(1, "carol")
    keeper.keep(2, "bob")
    keeper.keep(3, "bob")
    keeper.keep(4, "ivan", "bob")
    keeper.keep(5, "bob")
    keeper.keep(6, "carol")
    keeper.keep(7, "dora")
    keeper.markers = {"carol": f"timestamp={at(5)}", "dora": f"timestamp={at(7)}"}
    keeper.come()
    assert keeper.asked[1].params[:3] == ("TARGETS", f"timestamp={LAST}", f"timestamp={FIRST}")
    # The latest comes last; of a conversation without a marker what was answered is read.
    assert shown(keeper.talk) == ["bob: 1 unread message", "bob-05", "carol: 1 unread message", "carol-06"]
    assert keeper.talk.chat.partner == "carol"
    assert {"bob", "carol"} <= keeper.talk.chat.people
    # It comes a second time, and is shown once.
    keeper.talk.server(keeper.line(keeper.said[4]))
    assert keeper.talk.texts() == []


def test_much_that_is_unread_is_shown_in_part(keeper: Keeper) -> None:
    for minute in range(25):
        keeper.keep(minute, "bob")
    keeper.come()
    assert shown(keeper.talk) == [
        "bob: 25 unread messages",
        *(f"bob-{minute:02}" for minute in range(5, 25)),
        "bob: 5 more came before these: /history bob 25 shows them",
    ]


def test_of_many_conversations_less_is_shown_of_each(keeper: Keeper) -> None:
    for number in range(40):
        for minute in (number, number + 1, number + 2):
            keeper.keep(minute, f"b{number}")
    keeper.come()
    assert shown(keeper.talk)[:4] == [
        "b0: 3 unread messages",
        "b0-01",
        "b0-02",
        "b0: 1 more came before: /history b0 3 shows it",
    ]


def test_what_was_missed_in_private_while_the_connection_was_lost(keeper: Keeper) -> None:
    keeper.come()
    keeper.talk.server(keeper.keep(10, "bob"))
    keeper.talk.chat.lost("gone", keeper.talk.now)
    keeper.talk.texts()
    keeper.keep(11, "ivan", "bob")
    keeper.keep(12, "bob")
    keeper.keep(13, "eve")
    keeper.come()
    # Asked for from a little before, because times are not exact; what comes twice is shown once.
    assert ("TARGETS", f"timestamp={LAST}", f"timestamp={at(9, 50)}", "500") in [m.params for m in keeper.asked]
    heading = "what was said while you were away:"
    assert shown(keeper.talk) == [f"bob: {heading}", "ivan-11", "bob-12", f"eve: {heading}", "eve-13"]
    assert keeper.talk.chat.partner == "eve"


def test_what_is_said_meanwhile_waits_for_what_was_said_before(keeper: Keeper) -> None:
    talk = keeper.talk
    keeper.come()
    keeper.talk.server(keeper.keep(10, "bob"))
    talk.chat.lost("gone", talk.now)
    keeper.keep(11, "bob")
    now = [keeper.keep(12, "bob"), f"@msgid=r1;time={at(12)} :eve!c@h PRIVMSG #lobby :in the room"]
    talk.connect()
    talk.server("AUTHENTICATE +", ":stub 903 ivan :ok", ":stub 001 ivan :Welcome")
    (ping,) = talk.server(":stub 422 ivan :No MOTD")
    talk.server(f"@time={at(12)} :{ME} JOIN #lobby ivan :ivan")
    sent = talk.server(f":stub PONG stub :{ping.params[0]}")
    talk.texts()
    talk.server(*now)
    assert talk.texts() == []
    # The connection is lost again before the answer: nothing is lost with it.
    talk.chat.lost("gone", talk.now)
    talk.connect()
    talk.server("AUTHENTICATE +", ":stub 903 ivan :ok", ":stub 001 ivan :Welcome")
    (ping,) = talk.server(":stub 422 ivan :No MOTD")
    talk.server(f"@time={at(13)} :{ME} JOIN #lobby ivan :ivan")
    sent = talk.server(f":stub PONG stub :{ping.params[0]}")
    talk.texts()
    talk.server(now[1], keeper.keep(14, "bob"))
    *asked, barrier = sent
    for question in asked:
        talk.server(*keeper.answers(question))
    sent = talk.server(f":stub PONG stub :{barrier.params[0]}")
    assert talk.texts() == ["in the room"]
    keeper.serve(sent)
    assert talk.texts() == ["what was said while you were away:", "bob-11", "bob-12", "bob-14"]
    talk.server(keeper.keep(15, "bob"))
    assert talk.texts() == ["bob-15"]


def test_more_than_can_be_shown_of_what_was_missed(keeper: Keeper) -> None:
    keeper.come()
    keeper.talk.chat.lost("gone", keeper.talk.now)
    for second in range(130):
        keeper.said.append((f"{at(20 + second // 60, second % 60)}", "bob", "ivan"))
    keeper.line = lambda kept, batch="": f"@{batch}msgid={kept[0]};time={kept[0]} :bob!b@h PRIVMSG ivan :{kept[0]}"  # type: ignore[method-assign]
    keeper.talk.texts()
    keeper.come()
    texts = shown(keeper.talk)
    assert len(texts) == 102
    assert texts[-1] == "bob: There is more: /history bob 500 shows it."


def test_a_room_in_which_nothing_was_seen_yet(keeper: Keeper) -> None:
    keeper.come()
    keeper.talk.chat.lost("gone", keeper.talk.now)
    keeper.come()
    room = [message.params for message in keeper.asked if message.params[:2] == ("AFTER", "#lobby")]
    assert room == [("AFTER", "#lobby", "timestamp=2026-11-20T09:59:50.000Z", "100")]


def test_a_start_that_was_cut_off_is_made_up_for(keeper: Keeper) -> None:
    talk = keeper.talk
    keeper.keep(1, "bob")
    talk.log_in("#lobby")  # this server says nothing but PONG
    talk.chat.lost("gone", talk.now)
    talk.texts()
    keeper.come()
    assert shown(talk) == ["bob: 1 unread message", "bob-01"]


def test_what_came_in_private_is_read_when_the_user_types(keeper: Keeper) -> None:
    keeper.keep(1, "bob")
    keeper.come()
    assert keeper.markers == {}
    keeper.serve(keeper.talk.type("/away"))
    assert keeper.markers == {"bob": f"timestamp={at(1)}"}
    keeper.talk.server(keeper.keep(2, "carol"), keeper.keep(3, "ivan", "carol"))
    assert words(keeper.talk.type("/away"))[0] == f"MARKREAD carol timestamp={at(3)}"
    assert not [message for message in keeper.talk.type("/away") if message.command == "MARKREAD"]
    # What was said before that is looked at does not take it back.
    keeper.serve(keeper.talk.type("/history bob 1"))
    assert keeper.talk.texts()[-2:] == ["bob-01", "(end of what was said before)"]
    assert not [message for message in keeper.talk.type("/away") if message.command == "MARKREAD"]


def test_history_of_old_is_not_where_one_goes_on(keeper: Keeper) -> None:
    keeper.come()
    keeper.talk.server(keeper.keep(5, "bob"))
    keeper.talk.server(*keeper.batch("x", "chathistory bob", [keeper.line((at(1), "bob", "ivan"), "batch=h;")]))
    assert keeper.talk.texts()[-2] == "bob-01"
    assert keeper.talk.chat.history.latest["bob"].msgid == "bob-05"


def test_unread_counts_private_conversations(keeper: Keeper) -> None:
    keeper.come()
    for minute in (1, 2):
        keeper.keep(minute, "bob")
    keeper.keep(3, "ivan", "carol")
    keeper.markers = {"carol": f"timestamp={at(1)}"}
    keeper.talk.texts()
    keeper.serve(keeper.talk.type("/unread"))
    assert keeper.talk.texts() == ["2 unread messages (/history bob 2)"]
    # They are not read by that.
    assert keeper.markers == {"carol": f"timestamp={at(1)}"}
    keeper.markers |= {"bob": f"timestamp={at(2)}", "carol": f"timestamp={at(3)}"}
    keeper.talk.chat.history.markers.clear()
    keeper.serve(keeper.talk.type("/unread"))
    assert keeper.talk.texts() == ["nothing unread"]


def test_history_of_a_person_and_of_a_room(keeper: Keeper) -> None:
    keeper.come()
    asked = [
        words(keeper.talk.type(line)) for line in ("/history bob", "/history #tea 5", "/history bob 2026-11-20")
    ]
    assert asked[0] == ["CHATHISTORY LATEST bob * 20"]
    assert asked[1] == ["CHATHISTORY LATEST #tea * 5"]
    assert asked[2][0].startswith("CHATHISTORY AFTER bob timestamp=2026-11-")
    keeper.talk.texts()
    assert keeper.talk.type("/history b,b") == []
    assert "not a name" in keeper.talk.texts()[-1]


@pytest.mark.parametrize(
    "missing", ["draft/chathistory", "draft/read-marker", "batch", "labeled-response", "server-time"]
)
def test_servers_that_know_less(missing: str) -> None:
    keeper = Keeper(Talk(capabilities=ALL.replace(missing, "")))
    keeper.keep(1, "bob")
    for _ in range(2):
        keeper.come()
        keeper.talk.texts()
        keeper.talk.server(keeper.keep(30, "bob").partition(" ")[2])
        assert keeper.talk.texts() == ["bob-30"]
        keeper.serve(keeper.talk.type("/unread"))
        keeper.talk.chat.lost("gone", keeper.talk.now)


def test_a_server_that_refuses(keeper: Keeper) -> None:
    keeper.keep(1, "bob")
    keeper.refuses = lambda message: message.params[:1] != ("TARGETS",)
    keeper.come()
    keeper.talk.texts()
    keeper.talk.server(keeper.keep(2, "bob"))
    assert keeper.talk.texts() == ["bob-02"]


def test_a_script_asks_for_nothing_at_the_start_and_marks_nothing() -> None:
    keeper = Keeper(Talk(scripted=True))
    keeper.keep(1, "bob")
    keeper.come()
    assert [message.command for message in keeper.asked] == []
    keeper.talk.server(keeper.keep(2, "bob"))
    assert not [message for message in keeper.talk.type("/away") if message.command == "MARKREAD"]
    keeper.talk.chat.lost("gone", keeper.talk.now)
    keeper.talk.texts()
    keeper.keep(3, "bob")
    keeper.come()
    assert shown(keeper.talk) == ["bob: what was said while you were away:", "bob-03"]
