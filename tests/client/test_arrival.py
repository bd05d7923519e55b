"""Coming in at a terminal, with a server that is not there: what is asked again, and what is open meanwhile."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from secure_chat.client import arrival, entrance
from secure_chat.client.arrival import Arrival
from secure_chat.client.entrance import Entrance, NoAnswer, RegistrationRefused
from secure_chat.protocol.codes import write_code
from secure_chat.protocol.message import Secret

CODE = write_code("0123456789ABCDEFGHJKMNPQRS")
LINK = f"secure-chat://chat.example.org/#{CODE.reveal()}"


class Connection:
    """What `dial` gives. `said` is what a server says over it, again and again."""

    open = 0

    def __init__(self, said: bytes = b"") -> None:
        Connection.open += 1
        assert Connection.open == 1, "servers allow an address so many that have not logged in, and a class has one"
        self.is_open = True
        self._said = said

    def close(self) -> None:
        """The end."""
        Connection.open -= self.is_open
        self.is_open = False

    def fileno(self) -> int:
        """Below zero where it is closed, as of a socket."""
        return 7 if self.is_open else -1

    def settimeout(self, seconds: float) -> None:
        """As of a socket."""

    def sendall(self, data: bytes) -> None:
        """As of a socket."""

    def recv(self, _limit: int) -> bytes:
        """As of a socket."""
        return self._said


class Lobby:
    """An Entrance that offers registration; it refuses as many codes as the test says."""

    refusals = 0
    codes: ClassVar[list[str]] = []

    def __init__(self, tls: Any) -> None:
        self._tls = tls

    def offers(self) -> frozenset[str]:
        """No owner is wanted."""
        return frozenset({entrance.REGISTRATION})

    def register(self, _name: str, _password: Secret, code: Secret) -> None:
        """Done, or refused."""
        Lobby.codes.append(code.reveal())
        if Lobby.refusals:
            Lobby.refusals -= 1
            raise RegistrationRefused("INVALID_CODE", "There is no such code")

    def close(self) -> None:
        """Say goodbye."""
        self._tls.close()


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    Connection.open, Lobby.refusals, Lobby.codes = 0, 0, []
    monkeypatch.setattr(arrival, "Entrance", Lobby)
    monkeypatch.setattr(arrival, "ask_new_password_twice", lambda: Secret("a good password"))
    monkeypatch.setattr(arrival, "ask_yes_or_no", lambda _question: False)


class NoTokens:
    """This device has none."""

    def token(self) -> None:
        """None."""


def newcomer(code: Secret | None) -> Arrival:
    """Somebody without a token."""
    return Arrival(Connection, "zoe", code, lambda _name: NoTokens())  # type: ignore[arg-type,return-value]


def test_a_newcomer_has_one_connection_at_a_time() -> None:
    """And an open one at the end."""
    credentials, tls = newcomer(CODE).come_in()
    assert credentials.password.reveal() == "a good password"
    assert tls.fileno() >= 0
    assert Connection.open == 1


def test_a_link_that_is_not_whole_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the place of the password."""
    typed = iter([LINK[:-3], LINK])
    monkeypatch.setattr(arrival, "ask_password", lambda: Secret(next(typed)))
    newcomer(None).come_in()
    assert Lobby.codes == [CODE.reveal()]
    assert "This link is not whole" in capsys.readouterr().out


def test_another_link_that_is_not_whole_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the place of a code that was refused."""
    Lobby.refusals = 1
    typed = iter([LINK[:-3], LINK])
    monkeypatch.setattr(arrival, "ask_code", lambda _question: Secret(next(typed)))
    newcomer(CODE).come_in()
    assert len(Lobby.codes) == 2
    assert "This link is not whole" in capsys.readouterr().out


@pytest.mark.parametrize("character", ["\0", "\r", "\udcff"])
def test_what_no_message_can_carry_is_refused_in_words(character: str) -> None:
    """A password or a code with a character that a key or a terminal with another encoding sent."""
    talk = Entrance(Connection())  # type: ignore[arg-type]
    with pytest.raises(RegistrationRefused) as refused:
        talk.register("zoe", Secret(f"a good{character} password"), CODE)
    assert refused.value.code in arrival.PASSWORD_REFUSED
    assert "good" not in str(refused.value)
    with pytest.raises(RegistrationRefused) as refused:
        talk.register("zoe", Secret("a good password"), Secret(f"{CODE.reveal()}{character}"))
    assert refused.value.code in arrival.CODE_REFUSED


def test_a_password_that_cannot_be_sent_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the login, where nothing would refuse it clearly."""
    typed = iter(["my\0 password", "my\udcff password", "my password"])
    monkeypatch.setattr("getpass.getpass", lambda _question: next(typed))
    credentials, _tls = newcomer(None).come_in()
    assert credentials.password.reveal() == "my password"
    assert capsys.readouterr().out.count("cannot be sent") == 2


def test_a_server_whose_offers_have_no_end() -> None:
    """It is left."""
    door = Entrance(Connection(b":x CAP * LS * :sasl\r\n"))  # type: ignore[arg-type]
    with pytest.raises(NoAnswer):
        door.offers()
