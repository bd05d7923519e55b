"""The token of this device: for the server that gave it, and for nobody else to read."""

from __future__ import annotations

from pathlib import Path

from secure_chat.client.address import Address
from secure_chat.client.device_token import TokenRequest
from secure_chat.client.tokens import Tokens
from secure_chat.protocol.message import Secret
from tests.client.talk import Talk, words

HERE = Address("chat.example.org")
TOKEN = Secret("sct1_abc")


def test_a_token_is_for_the_server_that_gave_it(tmp_path: Path) -> None:
    path, key = tmp_path / "state" / "tokens.json", [""]
    tokens = Tokens(path, HERE, "Ivan@laptop", lambda: key[0])
    assert tokens.token() is None
    key[0] = "SHA256:one"
    assert tokens.keep(TOKEN)
    assert tokens.token() == TOKEN
    assert path.stat().st_mode & 0o777 == 0o600
    assert Tokens(path, HERE, "ivan", lambda: key[0]).token() == TOKEN
    for other in (
        Tokens(path, HERE, "anna", lambda: key[0]),
        Tokens(path, Address("b.org"), "ivan", lambda: key[0]),
    ):
        assert other.token() is None
    # The name now leads to a server with another key, or one that only the system vouches for.
    for key[0] in ("SHA256:two", ""):
        assert tokens.token() is None
    key[0] = "SHA256:one"
    tokens.forget()
    assert tokens.token() is None


def test_a_file_that_is_broken_is_no_token(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    for text in ("", "[]", "{", '{"ivan@chat.example.org:6697": 5}', '{"ivan@chat.example.org:6697": "alone"}'):
        path.write_text(text)
        assert Tokens(path, HERE, "ivan", lambda: "").token() is None


def test_a_request_lost_with_the_connection_is_made_again() -> None:
    kept: list[Secret] = []
    talk = Talk()
    talk.chat.token_request = TokenRequest("My Laptop!", kept.append)
    talk.log_in("#lobby")
    assert "DEVICE HERE My-Laptop" in words(talk.log)
    talk.chat.lost("gone", talk.now)
    talk.log.clear()
    talk.log_in("#lobby")
    assert "DEVICE HERE My-Laptop" in words(talk.log)
    (again,) = talk.server(":stub FAIL DEVICE DEVICE_EXISTS My-Laptop :There is one")
    assert again.params == ("HERE", "My-Laptop-2")
    talk.server(":stub NOTE DEVICE TOKEN My-Laptop-2 sct1_abc :The token")
    assert [token.reveal() for token in kept] == ["sct1_abc"]
    assert talk.chat.password.reveal() == "sct1_abc"
    talk.chat.lost("gone", talk.now)
    talk.log.clear()
    talk.log_in("#lobby")
    assert not [line for line in words(talk.log) if line.startswith("DEVICE")]
