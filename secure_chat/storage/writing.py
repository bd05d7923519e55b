"""Effects to rows, but for messages (`appending`). Each writer is one command's share of a tick; errors of SQLite
pass through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw

from secure_chat.chat import effects as fx
from secure_chat.storage.appending import find_place
from secure_chat.storage.forgetting import begin_erasure, forget
from secure_chat.storage.reading import conversation_keys


def write(connection: apsw.Connection, effect: fx.Durable) -> None:
    """Write one effect. Messages are appended by an Appender."""
    _WRITERS[type(effect)](connection, effect)


def _account_set(connection: apsw.Connection, effect: fx.AccountSet) -> None:
    a = effect.account
    connection.execute(
        "INSERT INTO account (id, name, folded, password, administrator, disabled, removed, epoch,"
        " muted_until_us, created_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " name = excluded.name, password = excluded.password, administrator = excluded.administrator,"
        " disabled = excluded.disabled, removed = excluded.removed, epoch = excluded.epoch,"
        " muted_until_us = excluded.muted_until_us",
        (
            a.id,
            a.name,
            a.folded,
            a.password,
            int(a.administrator),
            int(a.disabled),
            int(a.removed),
            a.epoch,
            a.muted_until_us,
            a.created_us,
        ),
    )


def _room_set(connection: apsw.Connection, effect: fx.RoomSet) -> None:
    r = effect.record
    topic = (r.topic.text, r.topic.by, r.topic.time_us) if r.topic else (None, None, None)
    flags = "".join(sorted(r.modes.flags))
    connection.execute(
        "INSERT INTO room VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " name = excluded.name, topic = excluded.topic, topic_by = excluded.topic_by,"
        " topic_us = excluded.topic_us, flags = excluded.flags, key = excluded.key,"
        " member_limit = excluded.member_limit",
        (r.id, r.name, r.folded, r.created_us, r.founder_id, *topic, flags, r.modes.key, r.modes.limit),
    )
    connection.execute("INSERT OR IGNORE INTO conversation (room_id) VALUES (?)", (r.id,))


def _member_set(connection: apsw.Connection, effect: fx.MemberSet) -> None:
    key = (int(effect.role), effect.room_id, effect.account_id)
    changed = connection.execute(
        "UPDATE membership SET role = ? WHERE room_id = ? AND account_id = ? AND until_sequence IS NULL"
        " RETURNING 1",
        key,
    ).fetchone()
    if changed is None:
        connection.execute(
            "INSERT INTO membership SELECT ?1, ?2, next_sequence, NULL, ?3 FROM conversation WHERE room_id = ?1"
            " ON CONFLICT DO UPDATE SET until_sequence = NULL, role = excluded.role",
            (effect.room_id, effect.account_id, int(effect.role)),
        )
        ended = "DELETE FROM room_invitation WHERE room_id = ? AND account_id = ?"
        connection.execute(ended, (effect.room_id, effect.account_id))


def _member_gone(connection: apsw.Connection, effect: fx.MemberGone) -> None:
    connection.execute(
        "UPDATE membership SET until_sequence = (SELECT next_sequence - 1 FROM conversation WHERE room_id = ?1)"
        " WHERE room_id = ?1 AND account_id = ?2 AND until_sequence IS NULL",
        (effect.room_id, effect.account_id),
    )


def _ban_set(connection: apsw.Connection, effect: fx.BanSet) -> None:
    ban = effect.ban
    row = (effect.room_id, ban.mask, ban.by, ban.time_us)
    connection.execute("INSERT INTO ban VALUES (?, ?, ?, ?)", row)


def _ban_gone(connection: apsw.Connection, effect: fx.BanGone) -> None:
    connection.execute("DELETE FROM ban WHERE room_id = ? AND mask = ?", (effect.room_id, effect.mask))


def _invited(connection: apsw.Connection, effect: fx.Invited) -> None:
    sql = "INSERT OR IGNORE INTO room_invitation VALUES (?, ?)"
    if not effect.invited:
        sql = "DELETE FROM room_invitation WHERE room_id = ? AND account_id = ?"
    connection.execute(sql, (effect.room_id, effect.account_id))


def _position_set(connection: apsw.Connection, effect: fx.PositionSet) -> None:
    at = effect.position
    connection.execute(
        "INSERT INTO position VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET message_id = excluded.message_id,"
        " time_us = excluded.time_us",
        (effect.account_id, effect.device, at.message_id, at.time_us),
    )


def _position_gone(connection: apsw.Connection, effect: fx.PositionGone) -> None:
    key = (effect.account_id, effect.device)
    connection.execute("DELETE FROM position WHERE account_id = ? AND device = ?", key)


def _login_remembered(connection: apsw.Connection, effect: fx.LoginRemembered) -> None:
    connection.execute(
        "INSERT INTO login VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET time_us = excluded.time_us",
        (effect.account_id, effect.address, effect.time_us),
    )


def _audited(connection: apsw.Connection, effect: fx.Audited) -> None:
    connection.execute(
        "INSERT INTO audit (time_us, actor, act, subject, detail) VALUES (?, ?, ?, ?, ?)",
        (effect.time_us, effect.actor, effect.act, effect.subject, effect.detail),
    )


def _code_set(connection: apsw.Connection, effect: fx.CodeSet) -> None:
    c = effect.code
    connection.execute(
        "INSERT INTO code VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET"
        " uses_left = excluded.uses_left, revoked = excluded.revoked",
        (
            c.digest,
            c.id,
            c.purpose.value,
            c.made_by,
            c.made_us,
            c.expires_us,
            c.uses,
            c.uses_left,
            c.name,
            c.account_id,
            c.room_id,
            int(c.revoked),
        ),
    )


def _code_gone(connection: apsw.Connection, effect: fx.CodeGone) -> None:
    connection.execute("DELETE FROM code WHERE digest = ?", (effect.digest,))


def _device_set(connection: apsw.Connection, effect: fx.DeviceSet) -> None:
    d = effect.device
    connection.execute(
        "INSERT INTO device VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET"
        " seen_us = excluded.seen_us, address = excluded.address",
        (d.digest, d.account_id, d.name, d.folded, d.made_us, d.seen_us, d.address),
    )


def _device_gone(connection: apsw.Connection, effect: fx.DeviceGone) -> None:
    connection.execute("DELETE FROM device WHERE digest = ?", (effect.device.digest,))


def _ignored(connection: apsw.Connection, effect: fx.Ignored) -> None:
    sql = "INSERT OR IGNORE INTO ignored VALUES (?, ?)"
    if not effect.ignored:
        sql = "DELETE FROM ignored WHERE account_id = ? AND other_id = ?"
    connection.execute(sql, (effect.account_id, effect.other_id))


def _room_muted(connection: apsw.Connection, effect: fx.RoomMuted) -> None:
    key = (effect.room_id, effect.account_id)
    connection.execute("DELETE FROM room_mute WHERE room_id = ? AND account_id = ?", key)
    if effect.until_us:
        connection.execute("INSERT INTO room_mute VALUES (?, ?, ?)", (*key, effect.until_us))


def _read_marked(connection: apsw.Connection, effect: fx.ReadMarked) -> None:
    connection.execute(
        "INSERT INTO read_marker VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET time_ms = excluded.time_ms",
        (effect.account_id, find_place(connection, conversation_keys(effect.place))[0], effect.time_ms),
    )


_WRITERS: dict[type, Callable[[apsw.Connection, Any], None]] = {
    fx.AccountSet: _account_set,
    fx.RoomSet: _room_set,
    fx.MemberSet: _member_set,
    fx.MemberGone: _member_gone,
    fx.BanSet: _ban_set,
    fx.BanGone: _ban_gone,
    fx.Invited: _invited,
    fx.PositionSet: _position_set,
    fx.PositionGone: _position_gone,
    fx.LoginRemembered: _login_remembered,
    fx.Audited: _audited,
    fx.CodeSet: _code_set,
    fx.CodeGone: _code_gone,
    fx.DeviceSet: _device_set,
    fx.DeviceGone: _device_gone,
    fx.Ignored: _ignored,
    fx.RoomMuted: _room_muted,
    fx.ReadMarked: _read_marked,
    fx.ErasureBegun: begin_erasure,
    fx.Forgot: forget,
}
