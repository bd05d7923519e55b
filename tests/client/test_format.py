"""What is shown, and that nothing of it is obeyed by a terminal."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.events import Event, Kind, Said, Told, Tone
from secure_chat.client.format import Look, colour_of, harmless, render

NOW = datetime(2026, 11, 21, 12, 34, tzinfo=UTC)
PLAIN = Look(colours=False, wall=lambda: NOW)
COLOURED = Look(colours=True, wall=lambda: NOW)
OURS = re.compile(r"\x1b\[[0-9;]*m")
REORDERING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
ANY = st.text() | st.text(st.sampled_from("\x1b[]0;m\x07\x9b\x9d\u202e\u2066\r\n\t\x7f\x02\x0341 a"))


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Said("ivan", "hello", "#lobby"), "12:34 #lobby <ivan> hello"),
        (Said("ivan", "waves", "#lobby", Kind.ACTION), "12:34 #lobby * ivan waves"),
        (Said("bot", "psst", "#lobby", Kind.NOTICE), "12:34 #lobby -bot- psst"),
        (Said("ivan", "hi", "ivan", private=True), "12:34 [private from ivan] hi"),
        (Said("me", "hi", "ivan", own=True, private=True), "12:34 [private to ivan] hi"),
        (Said("ivan", "nods", "ivan", Kind.ACTION, private=True), "12:34 [private from ivan] * ivan nods"),
        (Told(Tone.PRESENCE, "bob has joined", "#tea"), "12:34 #tea: bob has joined"),
        (Said("ivan", "old", "#lobby", at=NOW - timedelta(days=1)), "2026-11-20 12:34 #lobby <ivan> old"),
    ],
)
def test_lines(event: Said | Told, line: str) -> None:
    assert render(event, PLAIN) == [line]


def test_a_colour_belongs_to_a_name() -> None:
    assert colour_of("Иван") == colour_of("иван")
    assert f"<\x1b[{colour_of('ivan')}mivan\x1b[0m>" in render(Said("ivan", "x", "#a"), COLOURED)[0]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07", "␛]0;owned␇"),
        ("\x9b31m", "<U+009B>31m"),
        ("a\u202eb", "a<U+202E>b"),
        ("tab\there", "tab here"),
        ("\x02bold\x02 \x0304,01red\x03", "bold red"),
        ("e\u0301 漢 👨\u200d👩\u200d👧 שלום", "e\u0301 漢 👨\u200d👩\u200d👧 שלום"),
    ],
)
def test_control_characters_are_shown_as_what_they_are(text: str, shown: str) -> None:
    assert harmless(text) == shown


@given(ANY, ANY, ANY, st.booleans(), st.sampled_from(Kind))
def test_no_control_character_survives(name: str, text: str, place: str, private: bool, kind: Kind) -> None:
    events: list[Event] = [Said(name, text, place, kind, private=private), Told(Tone.REFUSED, text, place)]
    for look in (PLAIN, COLOURED):
        for line in [line for event in events for line in render(event, look)]:
            left = OURS.sub("", line) if look.colours else line
            assert not [c for c in left if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
            assert not [
                c for c in left if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "RLI")
            ]
