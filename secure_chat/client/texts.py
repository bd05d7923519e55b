"""The client's texts in the language of its user (gettext; English is the source)."""

from __future__ import annotations

import gettext
import locale
import os
import sys
from importlib import resources

DOMAIN = "secure_chat"
LANGUAGES = ("en", "ru")
LOCALE_FOLDER = resources.files("secure_chat") / "locale"
"""Perhaps inside a zip file (scripts/build), where `gettext.translation` would find nothing."""


class _Language:
    """The one chosen language of this process; set once at start, before there are other threads."""

    catalogue: gettext.NullTranslations = gettext.NullTranslations()


def choose_language(language: str | None) -> None:
    """Use `language` ("en", "ru"), or with None what the user's system says (on Unix in LANGUAGE, LC_ALL,
    LC_MESSAGES, LANG). A language without a catalogue is English. Call it before other threads start.
    """
    for wanted in [language] if language is not None else _languages_of_user():
        # en_GB.UTF-8@euro is English.
        short = wanted.partition(".")[0].partition("@")[0].partition("_")[0].lower()
        file = LOCALE_FOLDER / short / "LC_MESSAGES" / f"{DOMAIN}.mo"
        if short in LANGUAGES and file.is_file():
            with file.open("rb") as catalogue:
                _Language.catalogue = gettext.GNUTranslations(catalogue)
            return
        if short in ("en", "c", "posix"):
            break
    _Language.catalogue = gettext.NullTranslations()


def _languages_of_user() -> list[str]:
    """The languages that the user understands, the best one first."""
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if said := os.environ.get(variable):
            return said.split(":")
    if sys.platform == "win32":
        import ctypes

        return [locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")]
    else:  # noqa: RET505 - mypy knows that this is the other system
        return []


def _(text: str) -> str:
    """`text` in the chosen language."""
    return _Language.catalogue.gettext(text)


def plural(one: str, many: str, count: int) -> str:
    """`one` or `many`, whichever fits `count`, in the chosen language."""
    return _Language.catalogue.ngettext(one, many, count)


def marked(text: str) -> str:
    """Mark `text` for translation where it is shown later: pass it to `_` there."""
    return text
