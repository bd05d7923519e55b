"""Names: which can be, and when two are one."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secure_chat.protocol.names import (
    NAME_LIMIT_BYTES,
    NAME_LIMIT_CHARACTERS,
    InvalidName,
    check_account_name,
    check_room_name,
    fold,
    is_room,
)

LETTERS = st.text(st.characters(categories=["L", "N"], include_characters="-_[]{}^`|'"), min_size=1, max_size=12)


@given(st.text(max_size=40) | LETTERS)
@example("ａ！ｂ")
@example("－dash")
@example("９lives")
@example("ſ")
@example("ẞ")
@example("İstanbul")
@example("Ω")
def test_any_text_is_a_good_name_or_refused(text: str) -> None:
    """A name that is stored can stand in every place of a line, folds to one thing, and may be given again."""
    try:
        stored = check_account_name(text)
    except InvalidName:
        return
    assert not set(stored) & set(" ,*?!@.:#&+%~$/=\"'<>;\\\r\n\0")
    assert not stored[0].isdigit()
    assert stored[0] != "-"
    assert len(stored) <= NAME_LIMIT_CHARACTERS
    assert len(stored.encode()) <= NAME_LIMIT_BYTES
    assert check_account_name(stored) == stored
    assert fold(stored) == fold(text)


@given(LETTERS)
def test_fold_is_idempotent_and_blind_to_spelling(text: str) -> None:
    """Other capitals and other compositions are the same name."""
    try:
        check_account_name(text)
    except InvalidName:
        return
    folded = fold(text)
    assert fold(folded) == folded
    for other in (unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text), text.lower()):
        assert fold(other) == folded


@pytest.mark.parametrize("names", [("Иван", "ИВАН", "иВан"), ("ａlice", "Alice"), ("Zoë", "ZOE\u0308")])
def test_spellings_of_one_name(names: tuple[str, ...]) -> None:
    """RFC 8265: case, width, composition."""
    assert len({fold(name) for name in names}) == 1
    assert len({fold(f"#{name}") for name in names}) == 1
    assert fold(names[0]) != fold(f"#{names[0]}")


@given(st.text(max_size=20))
def test_fold_never_fails(text: str) -> None:
    """Of what cannot be a name it gives what no name folds to."""
    folded = fold(text)
    if folded.startswith(" "):
        with pytest.raises(InvalidName):
            check_account_name(text)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "cannot be empty"),
        ("a b", "a space"),
        ("a,b", "','"),
        ("a\x07b", r"'\x07'"),
        ("1st", "begin with a digit"),
        ("-a", "begin with a digit or '-'"),
        ("a" * 31, "at most 30 characters"),
        ("я" * 30 + "яя", "at most 30"),
        ("語" * 22, "63 bytes"),
        ("a♥", "cannot have"),
        ("aאb", "directions"),
        ("\u0378", "cannot have"),
    ],
)
def test_why_a_name_is_refused(name: str, why: str) -> None:
    """The text says which character or rule is in the way."""
    with pytest.raises(InvalidName) as refused:
        check_account_name(name)
    assert why in str(refused.value)


@pytest.mark.parametrize("name", ["alice", "#", "#a b", "#a,b", "#a！b", "#" + "x" * 51, "#" + "語" * 34, "&local"])
def test_what_is_no_room(name: str) -> None:
    """Rooms begin with # and have no separators in them."""
    with pytest.raises(InvalidName):
        check_room_name(name)


@pytest.mark.parametrize(("name", "stored"), [("#Tea", "#Tea"), ("#c++", "#c++"), ("#2026.1", "#2026.1")])
def test_rooms(name: str, stored: str) -> None:
    """They may begin with digits."""
    assert check_room_name(name) == stored
    assert is_room(name)
    assert not is_room("alice")
