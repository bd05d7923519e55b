"""`[NAME@]HOST[:PORT]`."""

from __future__ import annotations

import pytest

from secure_chat.client.address import Address, BadAddress, Target, parse_target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("chat.example.org", Target(None, Address("chat.example.org", 6697))),
        ("Ivan@Chat.Example.org:7000", Target("Ivan", Address("chat.example.org", 7000))),
        ("иван@localhost", Target("иван", Address("localhost"))),
        ("alice@laptop@localhost", Target("alice@laptop", Address("localhost"))),
        ("[::1]:6697", Target(None, Address("::1"))),
        ("ivan@[fe80::1%eth0]:1", Target("ivan", Address("fe80::1%eth0", 1))),
        ("::1", Target(None, Address("::1"))),
        ("[::1]", Target(None, Address("::1"))),
        (" 127.0.0.1:1 ", Target(None, Address("127.0.0.1", 1))),
    ],
)
def test_addresses(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text", ["", "@host", "ivan@", "host:", "host:0", "host:65536", "host:x", "a b", "[::1", "irc://host"]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(BadAddress):
        parse_target(text)


def test_written_back() -> None:
    assert str(Address("::1", 1)) == "[::1]:1"
    assert str(Address("a.example")) == "a.example:6697"
