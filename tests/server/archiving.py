"""Backups and homes made of them, in this process."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from secure_chat.protocol.message import Secret
from secure_chat.server.archive import ArchiveReader, ArchiveUnusable
from secure_chat.server.backup import Made, Wanted, make_backup
from secure_chat.server.home import Home
from secure_chat.server.restore import Restored, RestoreRefused, restore

PASSPHRASE = Secret("purple monkeys dishwasher")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def back_up(home: Path, target: Path, passphrase: Secret | None = PASSPHRASE, *, keys: bool = False) -> Made:
    place = Home(home)
    return make_backup(place, target, Wanted(place.config, place.certs, passphrase, keys), now=NOW)


def bring_back(
    file: Path, place: Path, passphrase: Secret | None = PASSPHRASE, pepper: Path | None = None
) -> Restored:
    archive = ArchiveReader(file)
    try:
        return restore(archive, place, passphrase, pepper)
    finally:
        archive.close()


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def refused(file: Path, words: str, **options: object) -> str:
    """Restoring is refused, with these words, and nothing is there afterwards."""
    place = file.parent / "new"
    before = files(file.parent)
    with pytest.raises((ArchiveUnusable, RestoreRefused)) as caught:
        bring_back(file, place, **options)  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert files(file.parent) == before
    return str(caught.value)
