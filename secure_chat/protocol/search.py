"""What somebody searches for: words, "phrases" and prefix*, as values; and how texts are made comparable.

A query is parsed, never passed on: whatever is typed, only words of it reach the index.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from secure_chat.errors import ProtocolError
from secure_chat.protocol.message import unescape_tag_value

TERMS_LIMIT = 16
_PART = re.compile(r'"([^"]*)"(\*?)|(\S+)')
_WORD = re.compile(r"[^\W_]+(?:[\u0300-\u036f]+[^\W_]*)*")
"""`_` is no part of a word, an accent that stays a character of its own (за́мок) is."""
_ASCII_WORD = re.compile(r"[0-9a-z]+")
"""The same where a text has no other characters: three times as fast."""


class InvalidSearch(ProtocolError):
    """Nothing can be searched for by this; the text says why."""


@dataclass(frozen=True, slots=True)
class Term:
    """Words that follow each other; `prefix`: the last may go on."""

    words: tuple[str, ...]
    prefix: bool = False

    def is_in(self, words: Sequence[str]) -> bool:
        """Whether they follow each other among these words (of `words_of`)."""
        *begin, last = self.words
        for place in range(len(words) - len(begin)):
            *before, found = words[place : place + len(self.words)]
            if before == begin and (found.startswith(last) if self.prefix else found == last):
                return True
        return False


def normalised(text: str) -> str:
    """A text as it is compared: without case, ё as е, one form for each character (NFKC)."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.replace("ё", "е")


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared: nothing but letters, digits and accents."""
    return (_ASCII_WORD if text.isascii() else _WORD).findall(normalised(text))


def parse_terms(text: str) -> tuple[Term, ...]:
    """The terms of a search, all of which must be in a message. Raises InvalidSearch."""
    terms = []
    for phrase, star, word in _PART.findall(text):
        raw = phrase or word
        words = tuple(words_of(raw))
        if words:
            terms.append(Term(words, bool(star) or (bool(word) and word.endswith("*"))))
    if not terms:
        nothing = "Write at least one word to search for"
        raise InvalidSearch(nothing)
    if len(terms) > TERMS_LIMIT:
        many = f"At most {TERMS_LIMIT} words can be searched for at once"
        raise InvalidSearch(many)
    return tuple(terms)


def parse_attributes(text: str) -> Mapping[str, str]:
    """`key=value;key=value`, escaped like tags (soju.im/search, "SEARCH"). Later ones of the same key win."""
    pairs = (pair.partition("=") for pair in text.split(";") if pair)
    return {key: unescape_tag_value(value) for key, _, value in pairs}
