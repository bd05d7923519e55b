"""The texts in other languages: complete, and with the same places for names and numbers."""

from __future__ import annotations

import string
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from secure_chat.client.texts import DOMAIN, LANGUAGES, LOCALE_FOLDER, _, choose_language, plural

TRANSLATED = [language for language in LANGUAGES if language != "en"]
pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    choose_language("en")


def fields(text: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in string.Formatter().parse(text) if name is not None}


def messages(language: str) -> list[Message]:
    with (LOCALE_FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        return [message for message in read_po(file) if message.id]


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_has_a_translation_with_the_same_fields(language: str) -> None:
    for message in messages(language):
        originals = [message.id] if isinstance(message.id, str) else list(message.id)
        translations = [message.string] if isinstance(message.string, str) else list(message.string or ())
        for translation in translations:
            assert translation, message.id
            assert fields(translation) == fields(originals[-1]), message.id


def test_the_catalogues_are_those_of_the_source() -> None:
    script = Path(__file__).parents[2] / "scripts" / "translations"
    subprocess.run([str(script), "--check"], check=True, timeout=50)


def test_russian_and_its_plurals() -> None:
    choose_language("ru")
    assert _("Enter your name") == "Введите своё имя"
    one, many = "{count} person online", "{count} people online"
    assert [plural(one, many, n).format(count=n) for n in (1, 2, 5, 21)] == [
        "1 человек в сети",
        "2 человека в сети",
        "5 человек в сети",
        "21 человек в сети",
    ]


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"LANG": "ru_RU.UTF-8"}, "Введите своё имя"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": "C"}, "Enter your name"),
        ({"LANG": "fr_FR.UTF-8"}, "Enter your name"),
        ({}, "Enter your name"),
    ],
)
def test_the_locale_chooses(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], text: str) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    choose_language(None)
    assert _("Enter your name") == text
    choose_language("en")
    assert _("Enter your name") == "Enter your name"
