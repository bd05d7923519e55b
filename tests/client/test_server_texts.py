"""Every refusal that our server has a fixed text for is known to the client in Russian."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

import secure_chat
from secure_chat.client.refusals import KEYS, in_own_words
from secure_chat.client.server_texts import TEMPLATES
from secure_chat.client.texts import choose_language
from secure_chat.protocol.names import InvalidName, check_account_name, check_room_name
from secure_chat.protocol.numerics import Numeric

PACKAGE = Path(secure_chat.__file__).parent
SOURCES = (
    *(PACKAGE / "commands").glob("*.py"),
    *(PACKAGE / "chat").glob("*.py"),
    PACKAGE / "server" / "passwords.py",
)
REFUSALS = ("CommandError", "Hopeless", "refusal", "WeakPassword")
PROGRAMS = {"409", "410", "411", "412", "421", "431", "451", "461", "462", "904", "905", "906", "907", "400"}
"""What only programs get: our client does not send what is refused with it, or says it in other words."""
PROGRAM_CODES = {"INVALID_PARAMS", "MALFORMED", "INVALID_UTF8", "NEED_NICK", "TOO_MANY_TARGETS"}

Said = tuple[str, str]
"""A template, and the code or the numeric it comes with ("" for neither)."""


def template_of(node: ast.expr) -> str | None:
    """A text, with `{}` for what is put in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def key_of(call: ast.Call) -> str:
    """The code it carries, else the numeric."""
    codes = [word.value for word in call.keywords if word.arg == "code"]
    words = [node.value for node in (*call.args[1:], *codes) if isinstance(node, ast.Constant)]
    numbers = [node.attr for node in call.args if isinstance(node, ast.Attribute) and node.attr.startswith("ERR_")]
    return str(words[-1]) if words else str(Numeric[numbers[0]]) if numbers else ""


def refusals_in(function: ast.AST) -> Iterator[Said]:
    """What the errors made in a function say: the text itself, or what was put into the name in its place since the
    error before.
    """
    before = 0
    for call in sorted(filter(is_refusal, ast.walk(function)), key=lambda node: node.lineno):
        first = call.args[1 if called(call) == "refusal" else 0]
        texts = [first] if not isinstance(first, ast.Name) else put_into(first, function, before)
        before = call.lineno
        for text in filter(None, map(template_of, texts)):
            yield text, "WEAK_PASSWORD" if called(call) == "WeakPassword" else key_of(call)


def called(call: ast.Call) -> str:
    """The name of what is called."""
    return call.func.id if isinstance(call.func, ast.Name) else ""


def is_refusal(node: ast.AST) -> TypeGuard[ast.Call]:
    """Whether this makes an error."""
    return isinstance(node, ast.Call) and called(node) in REFUSALS


def put_into(name: ast.Name, function: ast.AST, after: int) -> list[ast.expr]:
    """What is put into a name between a line and where it stands."""
    return [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and after < node.lineno <= name.lineno
        for target in node.targets
        if isinstance(target, ast.Name) and target.id == name.id
    ]


def refusals() -> list[Said]:
    """Of the whole server; without what only the owner's tool gets, which has neither code nor numeric."""
    found = {
        said
        for source in SOURCES
        for function in ast.walk(ast.parse(source.read_text()))
        if isinstance(function, ast.FunctionDef)
        for said in refusals_in(function)
    }
    return sorted((text, key) for text, key in found if key and key not in PROGRAMS | PROGRAM_CODES)


@pytest.fixture(autouse=True)
def _russian() -> Iterator[None]:
    choose_language("ru")
    yield
    choose_language("en")


def test_there_are_refusals() -> None:
    """The search finds them at all."""
    found = refusals()
    assert len(found) > 40
    assert ("You are muted until {}", "404") in found
    assert any(text.startswith("The password is shorter than {} characters") for text, _ in found)


@pytest.mark.parametrize(("text", "key"), refusals())
def test_a_refusal_is_in_russian(text: str, key: str) -> None:
    """If it is not: put its template into `client/server_texts.py`, or its code into `client/refusals.py`."""
    said = in_own_words(text.replace("{}", "9"), key)
    words = [word for word in text.split() if word.isascii() and word.isalpha() and len(word) > 3]
    left = [word for word in words if word in said.split()]
    assert any("а" <= letter <= "я" for letter in said), said
    assert len(left) < 2, said


@pytest.mark.parametrize(
    "name", ["", "1a", "a b", "a!b", "x" * 31, "א1b", "#", "#a b", "#a\tb", "#" + "x" * 60, "a\u0378"]
)
def test_why_a_name_cannot_be_one_is_in_russian(name: str) -> None:
    check = check_room_name if name.startswith("#") else check_account_name
    with pytest.raises(InvalidName) as refused:
        check(name)
    said = in_own_words(str(refused.value), "403")
    assert said != in_own_words("", "403")
    assert " name" not in said
    assert " space" not in said


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_differs_stays(template: str) -> None:
    count = template.count("{}")
    values = [f"<{n}>" for n in range(count)]
    said = in_own_words(template.format(*values))
    assert [value for value in values if value in said] == values
    assert any("а" <= letter <= "я" for letter in said), said


def test_the_longest_template_that_fits_is_taken() -> None:
    """A template that begins like another one must not swallow its end."""
    text = "You are muted until 2026-12-01 10:00 UTC; you can still write to administrators"
    assert "administrators" not in in_own_words(text)


def test_every_code_is_in_russian() -> None:
    for key, own in KEYS.items():
        assert any("а" <= letter <= "я" for letter in in_own_words("", key)), own
