"""The client's state when the connection is lost, and when it is time to go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.login import POST_ID
from secure_chat.client.outcome import ExitCode
from secure_chat.client.phases import Phase
from secure_chat.client.silence import LOGIN_PATIENCE_SECONDS, PATIENCE_SECONDS, SILENCE_SECONDS
from secure_chat.client.state import FINISH_SECONDS, LEAVE_SECONDS, WINDOW_POSTS
from tests.client.talk import ME, Talk, words

# Losing the connection


def test_posts_without_an_echo_are_sent_again_with_the_same_id(talk: Talk) -> None:
    sent = talk.type("one", "/msg bob two")
    talk.chat.lost("cut", talk.now)
    assert talk.chat.phase is Phase.OFFLINE
    assert talk.type("three", "/who") == []
    texts = talk.texts()
    assert "cut" in texts[0]
    assert "Kept" in texts[1]
    assert "no connection" in texts[2]
    talk.connect()
    talk.server("AUTHENTICATE +", ":s 903 ivan :ok", ":s 001 ivan :Hi", ":s 372 ivan :motd")
    (ping,) = talk.server(":s 376 ivan :End")
    talk.server(f":{ME} JOIN #lobby ivan :x", ":s 332 ivan #lobby :T", ":s 353 ivan = #lobby :ivan")
    sent_again = talk.answer_pings(talk.server(":s 366 ivan #lobby :End", f":s PONG s :{ping.params[0]}"))
    again = [message for message in sent_again if message.command == "PRIVMSG"]
    assert [m.tags[POST_ID] for m in again] == [*(m.tags[POST_ID] for m in sent), "id3"]
    assert [m.params for m in again] == [("#lobby", "one"), ("bob", "two"), ("#lobby", "three")]
    assert talk.texts() == ["Back again as ivan."]
    talk.server(f"@msgid=m1 :{ME} PRIVMSG #lobby :one")
    talk.server(f"@msgid=m1;label={again[0].tags['label']} :{ME} PRIVMSG #lobby :one")
    assert talk.texts() == ["one"]
    assert len(talk.chat.outbox) == 2


def test_a_server_without_post_ids_gets_nothing_twice() -> None:
    talk = Talk(capabilities="sasl echo-message labeled-response").log_in()
    talk.type("one")
    talk.chat.lost("cut", talk.now)
    assert "may not have arrived" in talk.texts()[-1]
    assert len(talk.chat.outbox) == 0


def test_silence_is_asked_about_and_then_the_server_is_lost(talk: Talk) -> None:
    assert talk.chat.deadline() == talk.now + SILENCE_SECONDS
    talk.chat.tick(talk.now + SILENCE_SECONDS - 1)
    assert talk.sent() == []
    talk.chat.tick(talk.now + SILENCE_SECONDS)
    assert words(talk.sent()) == ["PING alive"]
    talk.chat.tick(talk.now + SILENCE_SECONDS + PATIENCE_SECONDS - 1)
    assert talk.chat.online
    talk.chat.tick(talk.now + SILENCE_SECONDS + PATIENCE_SECONDS)
    assert talk.chat.phase is Phase.OFFLINE
    assert talk.chat.deadline() == float("inf")


def test_an_answer_ends_the_silence(talk: Talk) -> None:
    talk.chat.tick(talk.now + SILENCE_SECONDS)
    talk.now += SILENCE_SECONDS + 1
    assert words(talk.server("PING x", ":s PONG s :alive")) == ["PING alive", "PONG x"]
    talk.chat.tick(talk.now + PATIENCE_SECONDS - 1)
    assert talk.chat.phase is Phase.READY


def test_a_login_may_be_silent_for_as_long_as_passwords_wait() -> None:
    talk = Talk()
    talk.connect()
    talk.chat.tick(talk.now + LOGIN_PATIENCE_SECONDS - 1)
    assert talk.chat.phase is Phase.LOGIN
    talk.chat.tick(talk.now + LOGIN_PATIENCE_SECONDS)
    assert talk.chat.exit_code is ExitCode.CANNOT_CONNECT


@pytest.mark.parametrize(
    ("why", "phase"), [("Wrong password", Phase.OVER), ("Busy, Try again later", Phase.OFFLINE)]
)
def test_a_login_refused_on_the_way_back(talk: Talk, why: str, phase: Phase) -> None:
    talk.chat.lost("cut", talk.now)
    talk.connect()
    talk.server(f":s 904 ivan :{why}")
    assert talk.chat.phase is phase
    assert talk.chat.exit_code is (ExitCode.LOGIN_REFUSED if phase is Phase.OVER else None)


@pytest.mark.parametrize(
    "why",
    [
        "This account was disabled",
        "This account was removed",
        "The password was set by an administrator: log in again with the new one",
        "The password was changed: log in again with the new one",
    ],
)
def test_a_closed_account_is_not_tried_again(talk: Talk, why: str) -> None:
    talk.type("hello")
    talk.server(f"ERROR :{why}")
    talk.chat.lost("closed", talk.now)
    assert talk.chat.exit_code is ExitCode.LOGIN_REFUSED
    assert talk.texts() == ["1 message of yours was not confirmed by the server.", why]


def test_a_server_that_goes_is_tried_again(talk: Talk) -> None:
    talk.server("ERROR :Server is shutting down")
    talk.chat.lost("closed", talk.now)
    assert talk.chat.phase is Phase.OFFLINE


def test_a_room_lost_while_away() -> None:
    for scripted, current in ((False, "#lobby"), (True, None)):
        talk = Talk(scripted=scripted).log_in("#lobby", "#tea")
        talk.type("/room tea")
        talk.chat.lost("cut", talk.now)
        talk.log_in("#lobby")
        assert talk.chat.rooms.current == current


# Leaving


@pytest.mark.parametrize("typed", ["/quit", "/exit", "exit", " exit "])
def test_quit(talk: Talk, typed: str) -> None:
    assert words(talk.type(typed)) == ["QUIT"]
    talk.server("ERROR :Goodbye")
    talk.chat.lost("closed", talk.now)
    assert talk.chat.exit_code is ExitCode.QUIT
    assert talk.texts() == []


def test_quit_waits_a_moment_for_the_echo(talk: Talk) -> None:
    post, *more = talk.type("hello", "/quit")
    assert not more
    assert words(talk.echo(post)) == ["QUIT"]
    talk.chat.tick(talk.now + LEAVE_SECONDS)
    assert talk.chat.exit_code is ExitCode.QUIT


def test_quit_does_not_wait_for_ever(talk: Talk) -> None:
    talk.type("hello", "/quit")
    talk.chat.tick(talk.now + LEAVE_SECONDS)
    assert talk.chat.exit_code is ExitCode.QUIT
    assert talk.texts()[-1] == "1 message of yours was not confirmed by the server."


def test_quit_without_a_connection(talk: Talk) -> None:
    talk.chat.lost("cut", talk.now)
    talk.type("kept", "/quit")
    assert talk.chat.exit_code is ExitCode.QUIT


def test_the_end_of_a_script_waits_for_every_echo_and_answer() -> None:
    talk = Talk(scripted=True).log_in()
    one, two = talk.type("one", "two")
    talk.chat.end_of_input(talk.now)
    (barrier,) = talk.sent()
    assert barrier.command == "PING"
    talk.echo(one)
    talk.server(f":s PONG s :{barrier.params[0]}")
    assert talk.sent() == []
    assert words(talk.echo(two)) == ["QUIT"]


def test_the_end_of_a_script_that_is_not_confirmed() -> None:
    talk = Talk(scripted=True).log_in()
    one, _two = talk.type("one", "two")
    talk.chat.end_of_input(talk.now)
    talk.now += FINISH_SECONDS - 1
    talk.echo(one)
    talk.chat.tick(talk.now + FINISH_SECONDS - 1)
    assert talk.chat.phase is Phase.READY
    talk.chat.tick(talk.now + FINISH_SECONDS)
    assert talk.chat.exit_code is ExitCode.CONNECTION_LOST


def test_the_end_of_a_script_over_a_lost_connection() -> None:
    talk = Talk(scripted=True).log_in()
    talk.type("one")
    talk.chat.end_of_input(talk.now)
    talk.chat.lost("cut", talk.now)
    assert talk.chat.phase is Phase.OFFLINE
    talk.connect()
    talk.server("AUTHENTICATE +", ":s 903 ivan :ok", ":s 001 ivan :Hi")
    (ping,) = talk.server(":s 376 ivan :End")
    talk.server(f":{ME} JOIN #lobby ivan :x")
    post, barrier = talk.server(f":s PONG s :{ping.params[0]}")
    talk.server(f":s PONG s :{barrier.params[0]}")
    assert words(talk.echo(post)) == ["QUIT"]


def test_a_script_is_read_no_faster_than_it_is_confirmed() -> None:
    talk = Talk(scripted=True)
    assert not talk.chat.takes_input
    talk.log_in()
    posts = talk.type(*(f"line {n}" for n in range(WINDOW_POSTS)))
    assert not talk.chat.takes_input
    talk.echo(posts[0])
    assert talk.chat.takes_input


# Anything at all


def test_lines_that_cannot_be_read(talk: Talk) -> None:
    talk.chat.receive(b"\xff\xfe\r\n:only.a.source\r\n" + b"x" * 20000 + b"\r\nPING y\r\n", talk.now)
    assert words(talk.sent()) == ["PONG y"]
    assert len(talk.texts()) == 3


COMMANDS = "PRIVMSG NOTICE JOIN PART QUIT KICK NICK TOPIC MODE INVITE PING PONG ERROR BATCH FAIL NOTE 001 005 301"
COMMANDS += " 311 317 319 322 331 332 353 366 372 376 401 433 473 903 904 999 CAP AUTHENTICATE ACK"
PARAMETERS = ["ivan", "#lobby", "#tea", "bob", "+b", "-b", ":a text", "*", ":", "12"]
LINES = st.builds(
    lambda tags, source, command, params: f"{tags}{source}{command} {params}",
    st.sampled_from(["", "@label=1 ", "@label=2;msgid=a ", "@batch=b ", "@time=rubbish "]),
    st.sampled_from(["", f":{ME} ", ":bob!u@h ", ":s "]),
    st.sampled_from(COMMANDS.split()),
    st.lists(st.sampled_from(["ivan", "#lobby", "#tea", "bob", "+b", "-b", ":a text", "*", ":", "12"])).map(
        " ".join
    ),
)


def _kept(lines: list[str]) -> Iterator[str]:
    yield from (line.replace("\n", " ") for line in lines)


@given(st.lists(LINES | st.text(), max_size=30), st.lists(st.text(), max_size=5), st.booleans())
def test_no_server_and_no_user_can_break_it(lines: list[str], typed: list[str], scripted: bool) -> None:
    talk = Talk(scripted=scripted).log_in()
    for line in typed:
        talk.type(line)
    for line in _kept(lines):
        talk.chat.receive(line.encode(errors="replace") + b"\r\n", talk.now)
        for message in talk.sent():
            assert message.command in {"PRIVMSG", "PONG", "QUIT", "CAP", "PING"}
    talk.chat.lost("cut", talk.now)
    talk.chat.view()
