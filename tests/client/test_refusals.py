"""The server's refusals and farewells in the words, and the language, of the client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from secure_chat.client.outcome import ExitCode
from secure_chat.client.refusals import KEYS, in_own_words
from secure_chat.client.texts import choose_language
from tests.client.talk import Talk


@pytest.fixture
def _russian() -> Iterator[None]:
    choose_language("ru")
    yield
    choose_language("en")


@pytest.mark.usefixtures("_russian")
@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            "FAIL PART CANNOT_LEAVE PART #lobby :Everybody is in the lobby; it cannot be left",
            "#lobby: В лобби находятся все, выйти из него нельзя",
        ),
        ("400 ivan TOPIC :Something new", "Something new"),
        ("482 ivan #tea :You're not an operator", "#tea: Это могут только операторы комнаты"),
        ("401 ivan bob :No such nick", "bob: Никого с таким именем нет"),
        (
            "401 ivan bob :Not online now; a private message will be delivered later",
            "bob: Сейчас не в сети; личное сообщение будет доставлено позже",
        ),
        (
            "404 ivan #tea :You are muted until 2026-12-01",
            "#tea: Вам нельзя писать до 2026-12-01",
        ),
        (
            "404 ivan #tea :The moon is full",
            "#tea: Сейчас вам нельзя писать в эту комнату (The moon is full)",
        ),
        ("441 ivan bob #tea :is not in that room", "bob, #tea: Этого человека нет в комнате"),
        ("443 ivan bob #tea :is already in that room", "bob, #tea: Этот человек уже в комнате"),
        ("472 ivan z :is unknown mode char to me", "z: Такого режима нет"),
        ("696 ivan #tea l x :A limit is a number from 1 to 9", "#tea, l, x: Предел — это число от 1 до 9"),
        ("403 ivan #a!b :A room's name cannot have '!' in it", "#a!b: В имени комнаты не может быть '!'"),
        ("404 ivan #tea :You are banned from this room", "#tea: Вам закрыт доступ в эту комнату"),
        ("FAIL PASSWORD WEAK_PASSWORD :Too short", "Новый пароль слишком легко угадать (Too short)"),
        ("FAIL PASSWORD INVALID_CREDENTIALS :Wrong name or password", "Неверное имя или пароль"),
        ("FAIL X WHO_KNOWS #tea :Something else", "#tea: Something else"),
        ("NOTE PASSWORD CHANGED :Your password is changed", "Ваш пароль изменён"),
        ("313 ivan bob :is an administrator of this server", "bob — администратор этого сервера"),
        ("301 ivan bob :asleep", "bob отсутствует: asleep"),
    ],
)
def test_in_russian(talk: Talk, line: str, text: str) -> None:
    talk.server(f":s {line}")
    assert talk.texts() == [text]


@pytest.mark.usefixtures("_russian")
def test_a_refused_login_and_a_farewell_in_russian(talk: Talk) -> None:
    talk.server("ERROR :Server is shutting down")
    talk.chat.lost("closed", talk.now)
    assert "сервер выключают" in talk.texts()[0]
    talk.connect()
    talk.server(":s 904 ivan :Too many wrong passwords; try again in 3 s")
    assert talk.chat.deadline() == float("inf")
    assert "Слишком много неверных паролей; попробуйте снова через 3 с" in talk.texts()[-1]
    talk.connect()
    talk.server(":s 904 ivan :Wrong name or password")
    assert talk.chat.exit_code is ExitCode.LOGIN_REFUSED
    assert "Неверное имя или пароль" in talk.texts()[-1]


@pytest.mark.usefixtures("_russian")
def test_every_refusal_is_in_russian() -> None:
    for key, own in KEYS.items():
        assert not in_own_words("", key).startswith(own.text)


def test_what_nobody_knows_stays_as_it_is() -> None:
    assert in_own_words("Some words") == "Some words"
    assert in_own_words("Some words", "999") == "Some words"
