"""Mode strings, capabilities, and the forms of what is relayed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.protocol.capabilities import (
    DESCRIPTIONS,
    INFORMATIONAL,
    Capability,
    Profile,
    advertise,
    parse_request,
    profile_of,
)
from secure_chat.protocol.modes import ModeChange, format_changes, parse_changes
from secure_chat.protocol.relay import Relayed, format_time

WITH_ARGUMENT = st.builds(ModeChange, st.booleans(), st.sampled_from("bkov"), st.from_regex(r"\w+", fullmatch=True))
FLAGS = st.builds(ModeChange, st.booleans(), st.sampled_from("imnstz"))
LIMITS = st.just(ModeChange(True, "l", "5")) | st.just(ModeChange(False, "l"))


@given(st.lists(WITH_ARGUMENT | FLAGS | LIMITS))
def test_modes_round_trip(changes: list[ModeChange]) -> None:
    """What is shown to members means what was done."""
    letters, *arguments = format_changes(changes)
    assert list(parse_changes(letters, arguments)) == changes


@given(st.text(max_size=20), st.lists(st.text(max_size=5), max_size=3))
def test_any_modes_are_read(modes: str, arguments: list[str]) -> None:
    """Each letter once, in order."""
    assert [change.letter for change in parse_changes(modes, arguments)] == [c for c in modes if c not in "+-"]


def test_missing_arguments() -> None:
    """`-l` takes none; without a sign it is +."""
    assert list(parse_changes("ob-l", ["alice"])) == [
        ModeChange(True, "o", "alice"),
        ModeChange(True, "b", None),
        ModeChange(False, "l"),
    ]


def test_all_capabilities_are_described_and_advertised() -> None:
    """Values, and what cannot be requested, only from version 302 on."""
    assert DESCRIPTIONS.keys() == set(Capability)
    assert [word.partition("=")[0] for word in advertise(302)] == sorted(Capability)
    assert "sasl=PLAIN" in advertise(302)
    assert "sasl" in advertise(301)
    assert not set(advertise(301)) & INFORMATIONAL
    assert "sasl=PLAIN" not in advertise(302, frozenset({Capability.SASL}))


CAPABILITIES = st.sampled_from(sorted(set(Capability) - INFORMATIONAL))


@given(st.sets(CAPABILITIES), st.sets(CAPABILITIES), st.sets(CAPABILITIES))
def test_requests(held: set[Capability], wanted: set[Capability], unwanted: set[Capability]) -> None:
    """Words count from left to right; a request is taken or refused whole."""
    words = [*wanted, *(f"-{name}" for name in unwanted)]
    assert parse_request(words, frozenset(held)) == frozenset((held | wanted) - unwanted)
    for bad in ("nonsense", "-nonsense", "", "SASL", "sasl=PLAIN", *INFORMATIONAL):
        assert parse_request([*words, bad], frozenset(held)) is None


def test_forms() -> None:
    """Each profile sees what it asked for."""
    relayed = Relayed("a!b@c", "JOIN", ("#tea",), 0, "alice", "id", {"+x": "y"}, extended=("#tea", "alice", "Al"))
    assert relayed.message(Profile.NONE).encode() == b":a!b@c JOIN #tea\r\n"
    everything = profile_of(frozenset(Capability))
    assert relayed.message(everything).encode() == (
        b"@time=1970-01-01T00:00:00.000Z;account=alice;msgid=id;+x=y :a!b@c JOIN #tea alice Al\r\n"
    )
    assert relayed.body_bytes() == len(b":a!b@c JOIN #tea alice Al\r\n")
    tags_only = Relayed("a!b@c", "TAGMSG", ("#tea",), 0)
    assert tags_only.encode(Profile.TAGS) == b":a!b@c TAGMSG #tea\r\n"
    assert tags_only.encode(Profile.TIME) == b""
    assert tags_only.message(everything).encode() == b"@time=1970-01-01T00:00:00.000Z :a!b@c TAGMSG #tea\r\n"


@pytest.mark.parametrize(
    ("source", "params", "extended"),
    [
        ("a!b@c", ("#tea", "x\r\nQUIT"), None),
        ("a!b@c", ("#tea", "x\0"), None),
        ("a!b@c", ("#t ea", "x"), None),
        ("a!b@c", (":tea", "x"), None),
        ("a!b@c", ("", "x"), None),
        ("a!b @c", ("#tea", "x"), None),
        ("", ("#tea", "x"), None),
        ("a!b@c", ("#tea",), ("#tea", "alice\n", "Al")),
    ],
)
def test_no_line_becomes_two(source: str, params: tuple[str, ...], extended: tuple[str, ...] | None) -> None:
    """Wherever such a text came from."""
    with pytest.raises(ValueError, match="cannot have such"):
        Relayed(source, "PRIVMSG", params, 1, extended=extended)


def test_time() -> None:
    """Milliseconds, cut."""
    assert format_time(1_795_262_400_123_999) == "2026-11-21T12:00:00.123Z"
