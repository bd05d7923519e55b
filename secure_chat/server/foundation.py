"""What a server and the command-line tool both stand on: configuration, store, pepper, engine, of one home."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from secure_chat.chat.history import Rights
from secure_chat.chat.hub import Hub
from secure_chat.chat.ports import Snapshot, StoreFailed
from secure_chat.chat.settings import Inviter, RegistrationMode, Settings
from secure_chat.config import Config, load_config
from secure_chat.errors import ConfigError
from secure_chat.protocol.names import InvalidName, check_room_name
from secure_chat.server.engine import Engine
from secure_chat.server.home import Home
from secure_chat.server.ids import RandomIds
from secure_chat.server.passwords import Hasher, load_or_create_pepper
from secure_chat.server.reach import reach_of
from secure_chat.storage.database import DatabaseUnusable, explain
from secure_chat.storage.sqlite import SqliteStore

PEPPER_CHECK = "pepper check"


def clock_us() -> int:
    """The time in µs since 1970 UTC."""
    return time.time_ns() // 1000


def settings_of(config: Config) -> Settings:
    """The plain values that the rules need. Raises ConfigError."""
    if config.lobby.room:
        try:
            check_room_name(config.lobby.room)
        except InvalidName as error:
            text = f"[lobby] room: found {config.lobby.room!r}: {error}"
            raise ConfigError(text) from None
    return Settings(
        server=config.server.name,
        network=config.server.network,
        host=config.server.source_host,
        version=f"secure-chat-{metadata.version('secure-chat')}",
        created=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        motd=tuple(config.server.motd.splitlines()),
        lobby=config.lobby.room,
        quiet_members=config.lobby.quiet_members,
        registration=RegistrationMode(config.registration.mode),
        history_messages=config.limits.history_messages,
        replay_messages=config.history.replay_messages,
        search_messages=config.limits.search_messages,
        history_rights=Rights(config.history.rights),
        keep_days=config.history.keep_days,
        inviter=Inviter(config.registration.invite),
        registrations_per_address=config.limits.address_registrations,
        grace_seconds=config.presence.grace_seconds,
        everyone_creates_rooms=config.rooms.create == "everyone",
        rooms_per_account=config.rooms.rooms_per_account,
        sessions_per_account=config.limits.account_sessions,
        minimum_characters=config.passwords.minimum_characters,
        refuse_common=config.passwords.refuse_common,
        log_messages=config.log.messages,
    )


@dataclass(slots=True)
class Foundation:
    """A home that is open. Whoever opens it holds the home's lock, and closes it."""

    config: Config
    settings: Settings
    store: SqliteStore
    hasher: Hasher
    engine: Engine

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def open_foundation(home: Home, config_file: Path | None) -> Foundation:
    """Open a home. Raises ConfigError, DatabaseUnusable, StoreFailed."""
    _check_there(home)
    config = load_config(config_file or home.config, must_exist=config_file is not None)
    settings = replace(settings_of(config), reach=reach_of(config, home.certs))
    store = SqliteStore(home.database)
    try:
        snapshot = _load(store, home.database)
        present = any(not account.removed for account in snapshot.accounts)
        pepper, check = load_or_create_pepper(home.pepper, store.setting(PEPPER_CHECK), present)
    except BaseException:
        store.refuse()
        raise
    try:
        store.keep_setting(PEPPER_CHECK, check)
        hub = Hub(settings)
        hub.load(snapshot)
        engine = Engine(hub, store, RandomIds(), clock_us)
    except BaseException:
        store.close()
        raise
    return Foundation(config, settings, store, Hasher(pepper, config.passwords.bcrypt_rounds), engine)


def _check_there(home: Home) -> None:
    """A pepper is made after the database: a home that has one and no database has lost that.

    To begin anew would let nobody in, and hide what has happened.
    """
    path = home.database
    if home.pepper.exists() and not (path.exists() and path.stat().st_size):
        found = "empty" if path.exists() else "missing"
        text = (
            f"{path} is {found}, and {home.pepper} says that there was a database. "
            f"Restore a backup; to begin anew without accounts and messages, move {home.pepper.name} away, too"
        )
        raise DatabaseUnusable(text)


def _load(store: SqliteStore, path: Path) -> Snapshot:
    try:
        return store.load()
    except StoreFailed as error:
        raise DatabaseUnusable(explain(error.__cause__, path)) from error
