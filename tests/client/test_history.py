"""History in the client: the last screenful, what was missed, /history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from secure_chat.client.history import moment
from secure_chat.protocol.message import Message
from tests.client.talk import ME, Talk, words

BOB = "bob!chat@stub.example"


def batch(label: str, *messages: tuple[str, str], target: str = "#tea") -> list[str]:
    """The server's answer: (msgid, text) of Bob's."""
    lines = [f"@label={label} :stub BATCH +h1 chathistory {target}"]
    lines += [
        f"@batch=h1;msgid={msgid};time=2026-11-20T10:00:00.000Z :{BOB} PRIVMSG #tea :{text}"
        for msgid, text in messages
    ]
    return [*lines, ":stub BATCH -h1"]


def asked(talk: Talk) -> list[Message]:
    """What the client has asked of history."""
    return [message for message in talk.log if message.command == "CHATHISTORY"]


def test_the_last_screenful_at_the_start() -> None:
    talk = Talk()
    talk.log_in("#tea")
    question = asked(talk)[0]
    talk.texts()
    assert question.params == ("LATEST", "#tea", "*", "20")
    talk.server(*batch(question.tags["label"], ("m1", "good morning"), ("m2", "\x01VERSION\x01")))
    assert talk.texts()[-3:] == ["what was said before:", "good morning", "(end of what was said before)"]
    # Nothing is shown twice.
    talk.server(f"@msgid=m1 :{BOB} PRIVMSG #tea :good morning")
    assert talk.texts() == []


def test_scripts_get_only_what_they_are_told() -> None:
    talk = Talk(scripted=True)
    talk.log_in("#tea")
    assert not asked(talk)


def test_what_was_missed_after_a_lost_connection() -> None:
    talk = Talk()
    talk.log_in("#tea")
    talk.server(f"@msgid=m1 :{BOB} PRIVMSG #tea :one")
    talk.texts()
    talk.chat.lost("gone", talk.now)
    talk.log_in("#tea")
    (question,) = [message for message in asked(talk) if message.params[0] == "AFTER"]
    assert question.params == ("AFTER", "#tea", "msgid=m1", "100")
    talk.texts()
    talk.server(*batch(question.tags["label"], ("m2", "two")))
    assert talk.texts() == ["what was said while you were away:", "two"]


def test_history_on_request() -> None:
    talk = Talk()
    talk.log_in("#tea")
    talk.texts()
    (question,) = talk.type("/history 5")
    assert question.params == ("LATEST", "#tea", "*", "5")
    for _ in range(2):
        talk.server(*batch(question.tags["label"], ("m1", "one")))
        assert talk.texts() == ["what was said before:", "one", "(end of what was said before)"]
    talk.server(*batch("x"))
    assert talk.texts() == ["nothing was said before that"]
    (question,) = [message for message in talk.type("/history 2026-11-20") if message.command == "CHATHISTORY"]
    assert question.params[:2] == ("AFTER", "#tea")
    assert question.params[2].startswith("timestamp=2026-11-")
    assert talk.type("/history 25:99") == []
    assert "/history" in talk.texts()[-1]


def test_times_as_people_write_them() -> None:
    now = datetime(2026, 11, 21, 12, 0, tzinfo=timezone(timedelta(hours=3)))
    assert moment("9:30", now) == "2026-11-21T06:30:00.000Z"
    assert moment("2026-11-20", now) == "2026-11-19T21:00:00.000Z"
    assert moment("2026-11-20 18:30", now.astimezone(UTC)) == "2026-11-20T18:30:00.000Z"
    assert moment("25:00", now) is None


def test_a_server_without_history() -> None:
    talk = Talk(capabilities="sasl echo-message labeled-response batch message-tags")
    talk.log_in("#tea")
    talk.texts()
    assert talk.type("/history") == []
    assert talk.texts() == ["This server keeps no history."]


def in_rooms(**markers: str) -> Talk:
    """Logged in, in rooms of these names, each read up to its marker; nothing that was asked is answered yet."""
    talk = Talk()
    talk.connect()
    talk.server("AUTHENTICATE +", ":stub 903 ivan :SASL authentication successful")
    talk.server(":stub 001 ivan :Welcome", ":stub 005 ivan secure-chat.internal/LOBBY=#lobby :are supported")
    (ping,) = talk.server(":stub 422 ivan :No MOTD")
    for room, marker in markers.items():
        talk.server(f":{ME} JOIN #{room} ivan :ivan", f":stub MARKREAD #{room} {marker}")
    talk.answer_pings(talk.server(f":stub PONG stub :{ping.params[0]}"))
    return talk


def test_what_is_unread_in_rooms_is_counted() -> None:
    eight, nine = (f"timestamp=2026-11-20T{hour}:00:00.000Z" for hour in ("08", "09"))
    talk = in_rooms(lobby=eight, tea=nine, new="*")
    questions = asked(talk)
    assert [message.params[:3] for message in questions[:4]] == [
        ("LATEST", "#lobby", "*"),
        ("LATEST", "#lobby", "timestamp=2026-11-20T08:00:00.000Z"),
        ("LATEST", "#tea", "timestamp=2026-11-20T09:00:00.000Z"),
        ("LATEST", "#new", "*"),
    ]
    talk.texts()
    talk.server(*batch(questions[2].tags["label"], ("m1", "one"), ("m2", "two")))
    assert talk.texts() == ["2 unread messages"]
    # They are not seen by that: a look at the room shows them.
    talk.server(f"@msgid=m1 :{BOB} PRIVMSG #tea :one")
    assert talk.texts() == ["one"]
    questions = [message for message in talk.type("/unread") if message.command == "CHATHISTORY"]
    assert [message.params[1] for message in questions[:2]] == ["#lobby", "#tea"]
    talk.texts()
    talk.server(*batch(questions[0].tags["label"], target="#lobby"))
    assert talk.texts() == ["nothing unread"]


def test_more_may_be_unread_in_the_current_room_than_is_shown() -> None:
    talk = in_rooms(lobby="timestamp=2026-11-20T09:00:00.000Z")
    last, unread = asked(talk)[:2]
    said = [(f"m{number}", f"text {number}") for number in range(23)]
    talk.server(*batch(last.tags["label"], *said[3:], target="#lobby"))
    talk.texts()
    talk.server(*batch(unread.tags["label"], *said, target="#lobby"))
    assert talk.texts() == ["23 unread messages (/history #lobby 23)"]


def test_what_is_shown_is_read_when_the_user_types() -> None:
    talk = Talk()
    talk.log_in("#lobby")
    talk.server(f"@msgid=m1;time=2026-11-20T10:00:00.000Z :{BOB} PRIVMSG #lobby :one")
    sent = talk.type("/away")
    assert words(sent)[0] == "MARKREAD #lobby timestamp=2026-11-20T10:00:00.000Z"
    assert not [message for message in talk.type("/away") if message.command == "MARKREAD"]
    # Another device has read further.
    talk.server(":stub MARKREAD #lobby timestamp=2026-11-20T12:00:00.000Z")
    talk.server(f"@msgid=m2;time=2026-11-20T11:00:00.000Z :{BOB} PRIVMSG #lobby :two")
    assert not [message for message in talk.type("/away") if message.command == "MARKREAD"]


def test_nothing_is_known_of_what_was_read() -> None:
    talk = Talk()
    talk.log_in("#lobby")
    talk.texts()
    talk.answer_pings(talk.type("/unread"))
    assert talk.texts() == ["Nothing is known of what you have read yet."]
