"""Hashing, the pepper and what a new password must be."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_chat.chat.strength import WeakPassword, check_password
from secure_chat.errors import ConfigError, StorageError
from secure_chat.server.passwords import Hasher, load_or_create_pepper, stored_rounds

HASHER = Hasher(b"p" * 32, 4)


@given(st.text(max_size=100), st.text(max_size=100))
@settings(max_examples=30, deadline=None)
def test_only_the_same_password_is_right(password: str, other: str) -> None:
    stored = HASHER.hash(password)
    assert stored.startswith("v1$$2b$04$")
    assert HASHER.verify(password, stored)
    same = unicodedata.normalize("NFC", password) == unicodedata.normalize("NFC", other)
    assert HASHER.verify(other, stored) is same


def test_what_bcrypt_alone_would_get_wrong() -> None:
    long = "x" * 72
    assert not HASHER.verify(long + "b", HASHER.hash(long + "a"))
    assert not HASHER.verify("before\0other", HASHER.hash("before\0after"))
    assert HASHER.verify("Пароль" * 100, HASHER.hash("Пароль" * 100))


def test_composed_and_decomposed_are_the_same() -> None:
    assert HASHER.verify("cafe\u0301 noir", HASHER.hash("caf\u00e9 noir"))


def test_the_pepper_matters_and_the_salt_differs() -> None:
    stored = HASHER.hash("correct horse")
    assert stored != HASHER.hash("correct horse")
    assert not Hasher(b"q" * 32, 4).verify("correct horse", stored)


def test_rehash_when_the_cost_changed() -> None:
    stored = HASHER.hash("correct horse")
    assert not HASHER.needs_rehash(stored)
    assert Hasher(b"p" * 32, 5).needs_rehash(stored)
    assert HASHER.needs_rehash("v0$" + stored[3:])
    assert Hasher(b"p" * 32, 5).verify("correct horse", stored)
    assert stored_rounds(stored) == 4


def cpu_seconds(work: Callable[[], object]) -> float:
    """The least of three: what else the machine does can only add."""
    taken = []
    for _ in range(3):
        begin = time.thread_time()
        work()
        taken.append(time.thread_time() - begin)
    return min(taken)


def test_the_dummy_costs_what_a_stored_hash_costs() -> None:
    dear = Hasher(b"p" * 32, 9)
    stored = dear.hash("correct horse")
    real = cpu_seconds(lambda: dear.verify("wrong horse", stored))
    # One step of cost is a factor of 2: within 1.4 means the same cost.
    assert 1 / 1.4 < cpu_seconds(lambda: dear.verify_dummy("wrong horse")) / real < 1.4
    assert 1 / 1.4 < cpu_seconds(lambda: HASHER.verify_dummy("wrong horse", stored_rounds(stored))) / real < 1.4


@pytest.mark.parametrize("stored", ["", "v1$", "v1$nonsense", "v2$$2b$04$", "v1$$2b$xx$abc", "v1$$2b$04$short"])
def test_a_damaged_hash_is_not_a_wrong_password(stored: str) -> None:
    with pytest.raises(StorageError, match="administrator"):
        HASHER.verify("whatever", stored)


@pytest.mark.parametrize("stored", ["v1$", "v2$$2b$04$", "v1$$2b$xx$abc"])
def test_the_cost_of_a_damaged_hash(stored: str) -> None:
    with pytest.raises(StorageError):
        stored_rounds(stored)


def test_the_pepper_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "pepper"
    pepper, check = load_or_create_pepper(path, None, accounts_present=False)
    assert len(pepper) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create_pepper(path, check, accounts_present=True) == (pepper, check)
    assert load_or_create_pepper(path, None, accounts_present=True) == (pepper, check)
    assert pepper.hex() not in check


def test_a_missing_pepper_with_accounts_refuses_to_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing.*backup"):
        load_or_create_pepper(tmp_path / "pepper", "00", accounts_present=True)
    assert not list(tmp_path.iterdir())


def test_a_wrong_pepper_with_accounts_refuses_to_start(tmp_path: Path) -> None:
    _, check = load_or_create_pepper(tmp_path / "a", None, accounts_present=False)
    _, other = load_or_create_pepper(tmp_path / "b", None, accounts_present=False)
    with pytest.raises(ConfigError, match="not the pepper of this database"):
        load_or_create_pepper(tmp_path / "a", other, accounts_present=True)
    assert load_or_create_pepper(tmp_path / "a", other, accounts_present=False)[1] == check


def test_a_damaged_pepper_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pepper"
    for damage in ("", "abcd", "not hexadecimal"):
        path.write_text(damage)
        with pytest.raises(ConfigError, match="or delete it"):
            load_or_create_pepper(path, None, accounts_present=False)
        with pytest.raises(ConfigError, match=r"Restore it from a backup\.$"):
            load_or_create_pepper(path, "00", accounts_present=True)


def test_a_pepper_that_cannot_be_read_or_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_or_create_pepper(tmp_path, None, accounts_present=False)
    with pytest.raises(ConfigError, match="cannot be made"):
        load_or_create_pepper(tmp_path / "nowhere" / "pepper", None, accounts_present=False)


def check(password: str, **changed: object) -> None:
    settings_: dict[str, object] = {
        "minimum_characters": 8,
        "refuse_common": True,
        "name": "Иван-Петров",
        **changed,
    }
    check_password(password, **settings_)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("seven77", "shorter than 8"),
        ("e\u0301" * 7, "shorter than 8"),
        ("x" * 1025, "longer than 1024 bytes"),
        ("ю" * 513, "longer than 1024 bytes"),
        ("nul\0inside", "control character"),
        ("tab\tinside", "control character"),
        ("lone \udc80 surrogate", "control character"),
        ("password", "most common"),
        ("PassWord", "most common"),
        ("йцукенгш", "most common"),
        ("иван-петров", "account's name"),
    ],
)
def test_weak_passwords_are_refused(password: str, why: str) -> None:
    with pytest.raises(WeakPassword, match=why):
        check(password)


@pytest.mark.parametrize("password", ["eightchr", "ужин в лесу", "x" * 1024, "ю" * 512, "all lower case words"])
def test_no_composition_rules(password: str) -> None:
    check(password)


def test_the_rules_are_configurable() -> None:
    check("password", refuse_common=False)
    check("x7q", minimum_characters=3)
    with pytest.raises(WeakPassword, match="shorter than 12"):
        check("eightchr", minimum_characters=12)
