"""The client's state: logging in, rooms, saying something."""

from __future__ import annotations

import base64

import pytest

from secure_chat.client.events import Kind, Said, Told, Tone
from secure_chat.client.login import POST_ID
from secure_chat.client.outcome import ExitCode
from secure_chat.client.phases import Phase
from secure_chat.protocol.message import LINE_LIMIT_BYTES, Message, Secret
from tests.client.talk import ME, SECRET, Talk, words

# Logging in


def test_login_says_nothing_secret_before_sasl_is_acknowledged() -> None:
    talk = Talk()
    talk.chat.connected(0)
    assert words(talk.sent()) == ["CAP LS 302", "NICK ivan", "USER chat 0 * ivan"]
    assert words(talk.server(":s CAP * LS * :sasl=PLAIN foo")) == []
    assert words(talk.server(":s CAP * LS :batch=x echo-message")) == ["CAP REQ :sasl echo-message batch"]
    assert words(talk.server(":s CAP * ACK :sasl echo-message batch")) == ["AUTHENTICATE PLAIN"]
    (proof,) = talk.server("AUTHENTICATE +")
    assert repr(proof.params[0]) == "Secret(***)"
    assert isinstance(proof.params[0], Secret)
    assert base64.b64decode(proof.params[0].reveal()) == f"ivan\0ivan\0{SECRET}".encode()
    assert words(talk.server(":s 900 ivan x ivan :in", ":s 903 ivan :ok")) == ["CAP END"]


def test_a_long_password_goes_in_chunks() -> None:
    talk = Talk()
    talk.chat.password = Secret("x" * 600)
    talk.connect()
    assert [len(m.params[0]) for m in talk.server("AUTHENTICATE +")] == [400, 400, 16]


def test_capabilities_refused_together_are_asked_for_alone() -> None:
    talk = Talk()
    talk.chat.connected(0)
    talk.server(":s CAP * LS :sasl batch")
    assert words(talk.server(":s CAP * NAK :sasl batch")) == ["CAP REQ sasl"]
    talk.server(":s CAP * NAK :sasl")
    assert talk.chat.exit_code is ExitCode.LOGIN_REFUSED


@pytest.mark.parametrize(
    "lines",
    [
        [":s CAP * LS :batch"],
        [":s 904 ivan :SASL authentication failed"],
        [":s 905 ivan :SASL message too long"],
        [":s 908 ivan EXTERNAL :are available"],
        [":s FAIL * ACCOUNT_REQUIRED :Log in first", ":s 464 ivan :Password incorrect"],
        [":s 001 ivan :Welcome"],
    ],
)
def test_a_refused_login(lines: list[str]) -> None:
    talk = Talk()
    talk.chat.connected(0)
    talk.sent()
    talk.server(*lines)
    assert talk.chat.exit_code is ExitCode.LOGIN_REFUSED
    assert talk.chat.phase is Phase.OVER
    assert "refused" in talk.texts()[-1]


def test_the_throttles_words_are_shown() -> None:
    talk = Talk()
    talk.connect()
    talk.server(":s FAIL AUTHENTICATE THROTTLED :Too many logins; try again later", ":s 904 ivan :failed")
    assert "try again later" in talk.texts()[-1]


def test_lost_during_the_first_login() -> None:
    talk = Talk()
    talk.connect()
    talk.server("ERROR :Too many connections")
    talk.chat.lost("closed", 1)
    assert talk.chat.exit_code is ExitCode.CANNOT_CONNECT
    assert "Too many connections" in talk.texts()[-1]


def test_the_name_is_what_the_server_says() -> None:
    talk = Talk()
    talk.connect()
    talk.server("AUTHENTICATE +", ":s 903 ivan :ok", ":ivan!u@h NICK Ivan", ":s 001 Ivan :Welcome")
    assert talk.chat.nick == "Ivan"


# Rooms


def test_the_lobby_is_current_even_if_another_room_comes_first() -> None:
    assert Talk().log_in("#tea", "#Lobby").chat.rooms.current == "#Lobby"
    assert Talk().log_in("#tea", "#milk").chat.rooms.current == "#tea"


def test_who_comes_and_goes(talk: Talk) -> None:
    talk.server(":s 353 ivan = #lobby :@alice ivan", ":s 366 ivan #lobby :End")
    talk.server(":bob!u@h JOIN #lobby bob :Bob", ":bob!u@h PRIVMSG #lobby :hi", ":bob!u@h QUIT :Bye")
    talk.server(":alice!u@h PART #lobby :enough")
    assert talk.texts() == [
        "here now: @alice, ivan",
        "bob has joined",
        "hi",
        "bob has gone offline (Bye)",
        "alice has left (enough)",
    ]
    assert talk.chat.view().people == {"ivan"}


def test_a_line_typed_after_join_goes_to_that_room(talk: Talk) -> None:
    join, hello = talk.type("/join tea", "hello")
    assert words([join, hello]) == ["JOIN #tea", "PRIVMSG #tea hello"]
    label = join.tags["label"]
    talk.server(f"@label={label} :s BATCH +1 labeled-response", f"@batch=1 :{ME} JOIN #Tea ivan :x", ":s BATCH -1")
    assert talk.chat.rooms.current == "#Tea"
    assert talk.type("/join #TEA") == []
    talk.type("/room lobby")
    assert talk.chat.rooms.current == "#lobby"


@pytest.mark.parametrize(("scripted", "current"), [(False, "#lobby"), (True, None)])
@pytest.mark.parametrize("numeric", ["473 ivan #tea :Cannot join", "FAIL JOIN X #tea :No"])
def test_a_refused_join(scripted: bool, current: str | None, numeric: str) -> None:
    talk = Talk(scripted=scripted).log_in()
    (join,) = talk.type("/join #tea")
    talk.server(f"@label={join.tags['label']} :s {numeric}")
    assert talk.chat.rooms.current == current
    if scripted:
        assert talk.type("meant for the tea room") == []
        assert "You are in no room" in talk.texts()[-1]


@pytest.mark.parametrize(("scripted", "current"), [(False, "#lobby"), (True, None)])
def test_put_out_of_the_room(scripted: bool, current: str | None) -> None:
    talk = Talk(scripted=scripted).log_in("#lobby", "#tea")
    talk.type("/room #tea")
    talk.server(":alice!u@h KICK #tea ivan :out")
    assert talk.chat.rooms.current == current


def test_leaving_a_room_leads_to_the_lobby() -> None:
    talk = Talk(scripted=True).log_in("#lobby", "#tea")
    talk.type("/room #tea")
    assert words(talk.type("/leave", "bye")) == ["PART #tea", "PRIVMSG #lobby bye"]
    talk.server(f":{ME} PART #tea")
    assert talk.chat.rooms.current == "#lobby"


def test_the_lobby_is_not_left_behind(talk: Talk) -> None:
    (part,) = talk.type("/leave")
    talk.server(f"@label={part.tags['label']} :s FAIL PART CANNOT_LEAVE #lobby :Everybody is in the lobby")
    assert talk.chat.rooms.current == "#lobby"
    assert talk.texts() == ["#lobby: Everybody is in the lobby; it cannot be left"]


def test_two_rooms_asked_for_and_both_refused(talk: Talk) -> None:
    one, two = talk.type("/join one", "/join two")
    talk.server(f"@label={one.tags['label']} :s 473 ivan #one :No")
    assert talk.chat.rooms.current == "#two"
    talk.server(f"@label={two.tags['label']} :s 473 ivan #two :No")
    assert talk.chat.rooms.current == "#lobby"


def test_topics_modes_and_invitations(talk: Talk) -> None:
    talk.server(":s 332 ivan #lobby :Tea", ":bob!u@h TOPIC #lobby :Milk", ":bob!u@h TOPIC #lobby :")
    talk.server(":s 331 ivan #lobby :No topic", ":bob!u@h MODE #lobby +o eve", ":s MODE #lobby +o bob")
    talk.server(":bob!u@h INVITE ivan #milk", ":bob!u@h NICK Bob", ":bob!u@h KICK #lobby eve")
    assert talk.texts() == [
        "topic: Tea",
        "bob has set the topic: Milk",
        "bob has removed the topic",
        "there is no topic",
        "bob has set +o eve",
        "bob invites you to #milk. /join #milk goes there.",
        "bob has put eve out of the room",
    ]


# Saying


def test_what_was_said_is_shown_when_the_echo_came(talk: Talk) -> None:
    (post,) = talk.type("hello  there ")
    assert post.params == ("#lobby", "hello  there ")
    assert post.tags[POST_ID] == "id1"
    assert talk.texts() == []
    talk.echo(post)
    talk.echo(post)
    assert talk.shown == [Said("ivan", "hello  there ", "#lobby", own=True)]
    assert len(talk.chat.outbox) == 0


def test_another_device_of_ours(talk: Talk) -> None:
    (post,) = talk.type("same")
    talk.server(f"@msgid=x :{ME} PRIVMSG #lobby :same", f":{ME} PRIVMSG bob :psst")
    talk.sent()
    assert talk.shown == [
        Said("ivan", "same", "#lobby", own=True),
        Said("ivan", "psst", "bob", own=True, private=True),
    ]
    assert len(talk.chat.outbox) == 1
    talk.echo(post)
    assert talk.texts()[-1] == "same"


def test_an_echo_inside_a_batch(talk: Talk) -> None:
    (post,) = talk.type("/msg bob hi")
    talk.server(
        f"@label={post.tags['label']} :s BATCH +a labeled-response",
        "@batch=a :s 301 ivan bob :asleep",
        "@batch=a :s BATCH +b whatever",
        f"@batch=b :{ME} PRIVMSG bob :hi",
        ":s BATCH -b",
        ":s BATCH -a",
    )
    assert talk.texts() == ["bob is away: asleep", "hi"]
    assert len(talk.chat.outbox) == 0


def test_a_refused_post_is_given_back(talk: Talk) -> None:
    (post,) = talk.type("/msg nobody hi")
    talk.server(f"@label={post.tags['label']} :s 401 ivan nobody :No such nick")
    assert talk.texts() == ["Not sent: There is nobody of that name. Your text was: hi"]
    assert len(talk.chat.outbox) == 0


def test_a_server_without_labels() -> None:
    talk = Talk(capabilities="sasl echo-message").log_in()
    first, second = talk.type("/msg nobody hi", "hello")
    assert not first.tags
    assert not second.tags
    talk.server(":s 401 ivan nobody :No such nick", f":{ME} PRIVMSG #lobby :hello")
    assert len(talk.chat.outbox) == 0
    assert talk.texts()[-2:] == ["Not sent: There is nobody of that name. Your text was: hi", "hello"]


def test_a_server_without_echo_cannot_confirm() -> None:
    talk = Talk(capabilities="sasl").log_in()
    talk.type("hello")
    assert talk.texts()[-1] == "hello"
    assert len(talk.chat.outbox) == 0


def test_private_messages_and_the_answer_to_the_last(talk: Talk) -> None:
    assert talk.type("/r hi") == []
    talk.server(":bob!u@h PRIVMSG ivan :hello", f":{ME} PRIVMSG alice :x", ":s NOTICE ivan :from the server")
    (post,) = talk.type("/r hi")
    assert post.params == ("bob", "hi")
    assert Said("bob", "hello", "bob", private=True) in talk.shown
    assert Told(Tone.ANSWER, "from the server") in talk.shown


def test_actions_there_and_back(talk: Talk) -> None:
    (post,) = talk.type("/me waves")
    assert post.params[1] == "\x01ACTION waves\x01"
    talk.echo(post)
    talk.server(":bob!u@h PRIVMSG #lobby :\x01VERSION\x01", ":bob!u@h PRIVMSG @#lobby :ops")
    talk.sent()
    assert talk.shown == [
        Said("ivan", "waves", "#lobby", Kind.ACTION, own=True),
        Said("bob", "ops", "#lobby"),
    ]


def test_long_text_is_split_by_what_others_get(talk: Talk) -> None:
    posts = talk.type("слово " * 200)
    assert len(posts) > 4
    for post in posts:
        relayed = Message("PRIVMSG", post.params, ME)
        assert relayed.body_bytes() <= LINE_LIMIT_BYTES
    assert len({post.tags[POST_ID] for post in posts}) == len(posts)


@pytest.mark.parametrize(
    ("typed", "text"), [("//usr/bin", "/usr/bin"), ("/say /usr", "/usr"), (" /x", " /x"), ("a\0b\rc", "a b c")]
)
def test_text_that_looks_like_a_command(talk: Talk, typed: str, text: str) -> None:
    assert [post.params[1] for post in talk.type(typed)] == [text]
