"""Long text in parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import iter_graphemes

from secure_chat.client.split import room_for_text_bytes, split_text
from secure_chat.protocol.message import LINE_LIMIT_BYTES, Message

FAMILY = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
TEXTS = st.lists(st.sampled_from([" ", "a", "слово", "e\u0301", FAMILY, "漢", "\u0301", "🇷🇺", "x" * 30])).map(
    "".join
)


@pytest.mark.parametrize(
    ("text", "limit_bytes", "parts"),
    [
        ("", 10, [""]),
        ("ten bytes!", 10, ["ten bytes!"]),
        ("one two three", 7, ["one two", "three"]),
        ("one two three", 9, ["one two", "three"]),
        ("unbreakable", 4, ["unbr", "eaka", "ble"]),
        ("привет", 5, ["пр", "ив", "ет"]),
        ("ab " + FAMILY, 20, ["ab", FAMILY]),
        ("a  b", 2, ["a ", "b"]),
        ("aaaa ", 4, ["aaaa"]),
    ],
)
def test_cuts(text: str, limit_bytes: int, parts: list[str]) -> None:
    assert split_text(text, limit_bytes) == parts


def test_only_a_grapheme_longer_than_the_limit_is_cut() -> None:
    assert split_text("a" + "\u0301" * 4, 5) == ["a\u0301\u0301", "\u0301\u0301"]


@given(TEXTS | st.text(), st.integers(min_value=24, max_value=120))
def test_parts_fit_and_give_the_text_back(text: str, limit_bytes: int) -> None:
    parts = split_text(text, limit_bytes)
    assert all(len(part.encode()) <= limit_bytes for part in parts)
    position = 0
    for part in parts:
        if not text.startswith(part, position):
            assert text[position] == " "
            position += 1
        assert text.startswith(part, position)
        position += len(part)
    assert text[position:] in ("", " ")


@given(TEXTS, st.integers(min_value=64, max_value=120))
def test_graphemes_stay_whole(text: str, limit_bytes: int) -> None:
    whole = list(iter_graphemes(text))
    if all(len(grapheme.encode()) <= limit_bytes for grapheme in whole):
        parts = [g for part in split_text(text, limit_bytes) for g in iter_graphemes(part)]
        assert [g for g in parts if g != " "] == [g for g in whole if g != " "]


@pytest.mark.parametrize("source", [None, "иван!chat@chat.example.org"])
def test_a_part_fits_the_line_that_others_get(source: str | None) -> None:
    limit_bytes = room_for_text_bytes("иван", source, "PRIVMSG", "#lobby")
    relayed = Message("PRIVMSG", ("#lobby", "x" * limit_bytes), source or f"иван!{'u' * 10}@{'h' * 63}")
    spaced = Message("PRIVMSG", ("#lobby", "x " * (limit_bytes // 2)), relayed.source)
    assert relayed.body_bytes() <= LINE_LIMIT_BYTES
    assert LINE_LIMIT_BYTES - 1 <= spaced.body_bytes() <= LINE_LIMIT_BYTES
