"""Words: what a text is cut into for searching."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from secure_chat.protocol.search import normalised, words_of


def letters(text: str) -> list[str]:
    """The same as `words_of`, one character after the other."""
    words, is_inside = [""], False
    for character in normalised(text):
        is_accent = "\u0300" <= character <= "\u036f"
        is_inside = (character.isalnum() and not is_accent) or (is_inside and is_accent)
        if is_inside:
            words[-1] += character
        elif words[-1]:
            words.append("")
    return [word for word in words if word]


@given(st.text() | st.text("aZ0_-\u0300\u0301\u0456ё "))
@example("\u0456\u0301\u0456\u0301")
@example("x\u0301\u0300y_\u0301z")
@example("за\u0301мок_x \u0301y")
@example("\uff21\uff22 \u212a")
def test_words_are_letters_digits_and_accents_in_them(text: str) -> None:
    """Whatever else there is stands between them."""
    assert words_of(text) == letters(text)


@given(st.text(st.characters(max_codepoint=127)))
def test_a_text_is_cut_alike_whatever_stands_beside_it(text: str) -> None:
    """Texts in ASCII alone are cut in a faster way."""
    assert [*words_of(text), "слово"] == words_of(f"{text} слово")
