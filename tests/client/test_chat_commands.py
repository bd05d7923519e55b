"""Slash commands, and what the server answers to them."""

from __future__ import annotations

import base64

import pytest

from secure_chat.client import slash
from secure_chat.client.events import Told, Tone
from secure_chat.protocol.message import Secret
from tests.client.talk import SECRET, Talk, words

# Slash commands


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("/rooms", "LIST"),
        ("/who", "NAMES #lobby"),
        ("/who tea", "NAMES #tea"),
        ("/whois Bob", "WHOIS Bob"),
        ("/topic", "TOPIC #lobby"),
        ("/topic one two", "TOPIC #lobby :one two"),
        ("/away", "AWAY"),
        ("/away at lunch", "AWAY :at lunch"),
        ("/mute bob 10m", "MUTE bob 10m"),
        ("/MUTE bob 10m too loud", "MUTE bob 10m :too loud"),
        ("/msg bob  hi", "PRIVMSG bob hi"),
        ("/join tea key", "JOIN #tea key"),
        ("/leave #tea", "PART #tea"),
    ],
)
def test_what_commands_send(talk: Talk, typed: str, line: str) -> None:
    assert words(talk.type(typed)) == [line]


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "/nonsense",
            "/",
            "/msg",
            "/msg bob",
            "/msg a!b hi",
            "/r",
            "/join",
            "/join a,b",
            "/room #nowhere",
            "/whois",
        ),
        *("/me", "/say", "/mute bob", "/password old new", "/help nonsense", "/whois a b", "/msg #tea hi"),
    ],
)
def test_what_is_an_error_and_never_sent(talk: Talk, typed: str) -> None:
    assert talk.type(typed) == []
    assert isinstance(talk.shown[-1], Told)
    assert talk.shown[-1].tone is Tone.REFUSED


def test_help(talk: Talk) -> None:
    talk.type("/help")
    assert len(talk.texts()) == len({row.name for row in slash.COMMANDS.values()})
    talk.type("/help /msg")
    assert talk.texts() == ["/msg NAME text - say something to one person"]


def test_answers_of_the_server(talk: Talk) -> None:
    talk.type("/who")
    talk.server(":s 353 ivan = #lobby :ivan bob", ":s 366 ivan #lobby :End", ":s 353 ivan = #tea :eve")
    talk.server(":s 322 ivan #tea 1 :Tea", ":s 322 ivan #milk 2 :", ":s 323 ivan :End")
    talk.server(":s 311 ivan bob u h * :Bob B", ":s 317 ivan bob 125 1 :idle", ":s 319 ivan bob :@#tea #lobby")
    talk.server(":s 306 ivan :x", ":s 305 ivan :x", ":s 671 ivan bob :is using a secure connection")
    talk.server(":s 482 ivan #lobby :You're not an operator", ":s NOTE * X :Note")
    assert talk.texts() == [
        "here now: bob, ivan",
        "here now: eve",
        "1 person online; Tea",
        "2 people online",
        "Your rooms: #lobby",
        "bob calls themselves “Bob B”",
        "bob has been silent for 2 minutes",
        "bob is in @#tea, #lobby",
        "You are marked as away.",
        "You are no longer marked as away.",
        "bob: is using a secure connection",
        "#lobby: Only operators of the room may do that",
        "Note",
    ]


def test_a_refusal_is_told_once_though_it_comes_twice(talk: Talk) -> None:
    (part,) = talk.type("/leave #lobby")
    batch = f"@label={part.tags['label']} :s BATCH +r labeled-response"
    fail, numeric = "FAIL PART CANNOT_LEAVE #lobby :Not the lobby", "400 ivan PART #lobby :Not the lobby"
    talk.server(batch, f"@batch=r :s {fail}", f"@batch=r :s {numeric}", ":s BATCH -r")
    assert len(talk.texts()) == 1
    talk.server(f":s {fail}", f":s {numeric}")
    assert len(talk.texts()) == 1
    talk.server(f":s {fail}", ":s 482 ivan #lobby :Something else", f":s {numeric}")
    assert len(talk.texts()) == 3


def test_a_refused_post_is_told_once_though_it_comes_twice(talk: Talk) -> None:
    (post,) = talk.type("hello")
    batch = f"@label={post.tags['label']} :s BATCH +r labeled-response"
    fail, numeric = "FAIL PRIVMSG STORAGE_ERROR :The disk is full", "400 ivan PRIVMSG :The disk is full"
    talk.server(batch, f"@batch=r :s {fail}", f"@batch=r :s {numeric}", ":s BATCH -r")
    (text,) = talk.texts()
    assert "hello" in text


def test_many_names_are_counted_unasked_and_shown_when_asked_for(talk: Talk) -> None:
    names = f":s 353 ivan = #tea :{' '.join(f'u{n:02}' for n in range(40))}"
    talk.server(":ivan!u@h JOIN #tea ivan :x", names, ":s 366 ivan #tea :End")
    assert talk.texts()[-1].endswith("u29 and 10 more")
    talk.type("/who tea")
    talk.server(names, ":s 366 ivan #tea :End")
    assert talk.texts()[-1].endswith("u29, u30, u31, u32, u33, u34, u35, u36, u37, u38, u39")
    talk.server(names, ":s 366 ivan #tea :End")
    assert talk.texts() == []


def test_who_is_in_a_room_that_is_not_there(talk: Talk) -> None:
    talk.type("/who nowhere", "/who milk")
    talk.server(":s 366 ivan #Nowhere :End", ":s 353 ivan = #milk :eve", ":s 366 ivan #milk :End")
    talk.server(":s 366 ivan #nowhere :End")
    assert talk.texts() == ["no such room, or nobody is there", "here now: eve"]


def test_a_new_password_holds_from_its_confirmation_on(talk: Talk) -> None:
    slash.change_password(talk.chat, Secret(SECRET), Secret("new secret"))
    (line,) = talk.sent()
    assert isinstance(line.params[0], Secret)
    assert base64.b64decode(line.params[0].reveal()) == f"{SECRET}\0new secret".encode()
    assert talk.chat.password.reveal() == SECRET
    talk.server(f"@label={line.tags['label']} :s NOTE PASSWORD CHANGED :Your password is changed")
    assert talk.chat.password.reveal() == "new secret"
    slash.change_password(talk.chat, Secret("x"), Secret("y"))
    talk.server(":s FAIL PASSWORD WRONG :That is not your password")
    assert talk.chat.password.reveal() == "new secret"
    assert talk.texts() == ["Your password is changed", "That is not your password"]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("/Quit now", "quit"),
        ("/password", "password"),
        (" exit ", "exit"),
        ("exit now", None),
        ("password", None),
        ("quit", None),
        ("//quit", None),
        ("", None),
        ("/", ""),
    ],
)
def test_which_command_a_line_is(line: str, name: str | None) -> None:
    assert slash.command_in(line) == name
