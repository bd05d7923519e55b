"""The client's texts in the language of its user (gettext; English is the source)."""

from __future__ import annotations

import gettext
from pathlib import Path

DOMAIN = "secure_chat"
LANGUAGES = ("en", "ru")
LOCALE_FOLDER = Path(__file__).resolve().parent.parent / "locale"


class _Language:
    """The one chosen language of this process; set once at start, before there are other threads."""

    catalogue: gettext.NullTranslations = gettext.NullTranslations()


def choose_language(language: str | None) -> None:
    """Use `language` ("en", "ru"), or with None what the locale says (LANGUAGE, LC_ALL, LC_MESSAGES, LANG).

    A language without a catalogue is English. Call it before other threads start.
    """
    wanted = None if language is None else [language]
    _Language.catalogue = gettext.translation(DOMAIN, LOCALE_FOLDER, languages=wanted, fallback=True)


def _(text: str) -> str:
    """`text` in the chosen language."""
    return _Language.catalogue.gettext(text)


def plural(one: str, many: str, count: int) -> str:
    """`one` or `many`, whichever fits `count`, in the chosen language."""
    return _Language.catalogue.ngettext(one, many, count)


def marked(text: str) -> str:
    """Mark `text` for translation where it is shown later: pass it to `_` there."""
    return text
