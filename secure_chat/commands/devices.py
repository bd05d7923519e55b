"""DEVICE: the named, revocable tokens of an account; and the same for the command line."""

from __future__ import annotations

from typing import Any

from secure_chat.chat.accounts import Account
from secure_chat.chat.devices import (
    DEVICES_LIMIT,
    NAME_LIMIT_CHARACTERS,
    Device,
    fold_device,
    is_device_name,
    token_digest,
)
from secure_chat.chat.effects import Audited, DeviceGone, DeviceSet, PositionMoved
from secure_chat.chat.errors import CommandError
from secure_chat.chat.positions import Position
from secure_chat.commands.accounts import ACTOR, account_named
from secure_chat.commands.context import Context
from secure_chat.commands.registry import Weight, command, operation
from secure_chat.protocol.message import Secret
from secure_chat.protocol.relay import format_time

REVOKED_TEXT = "This device was revoked: log in again with the password"


@command("DEVICE", min_params=1, usage="DEVICE <LIST|ADD NAME|HERE NAME|REVOKE NAME>", weight=Weight.POST)
def device(ctx: Context, act: str, name: str = "") -> None:
    """Your devices: list them, get a token for a new one (HERE: for this one), revoke one."""
    match act.upper():
        case "LIST":
            _list(ctx)
        case "ADD" | "HERE" if name:
            # A session that a token has opened ends with that token, whatever it gets after that.
            here = act.upper() == "HERE" and ctx.session.token not in ctx.hub.devices
            made, token = _add(ctx, ctx.account, name, ctx.account.name, here=here)
            if here:
                ctx.change_session(device=made.folded, token=made.digest)
                ctx.add(PositionMoved(ctx.account.id, made.folded, Position(ctx.session.proven_id, ctx.now_us)))
            text = f"The token of {made.name}, shown only now; it is used as the password: {token.reveal()}"
            ctx.note("DEVICE", "TOKEN", text, made.name, token)
        case "REVOKE" if name:
            gone = device_named(ctx, ctx.account, name)
            ctx.note("DEVICE", "REVOKED", f"{gone.name} is revoked", gone.name)
            _revoke(ctx, gone, ctx.account, ctx.account.name)
        case _:
            raise CommandError("DEVICE LIST, ADD NAME, HERE NAME, or REVOKE NAME", code="INVALID_PARAMS")


def _list(ctx: Context) -> None:
    shown = devices_by_name(ctx, ctx.account)
    for one in shown:
        where = "this device" if one.digest == ctx.session.token else "connected" if is_here(ctx, one) else ""
        text = f"{one.name}: since {format_time(one.made_us)}, last seen {_seen(one)}" + (where and f", {where}")
        ctx.note("DEVICE", "ONE", text, one.name)
    ctx.note("DEVICE", "END", f"{len(shown)} devices have a token" if shown else "No device has a token")


def _seen(one: Device) -> str:
    return f"{format_time(one.seen_us)} from {one.address}" if one.seen_us else "never"


def devices_by_name(ctx: Context, account: Account) -> list[Device]:
    """The devices of an account, in order of their names."""
    return sorted(ctx.hub.devices_of.get(account.id, {}).values(), key=lambda one: one.folded)


def is_here(ctx: Context, one: Device) -> bool:
    """Whether a session of this device is connected."""
    return any(session.token == one.digest for session in ctx.hub.sessions_of(one.account_id))


def device_named(ctx: Context, account: Account, name: str) -> Device:
    """The device of that name. Raises CommandError."""
    found = ctx.hub.devices_of.get(account.id, {}).get(fold_device(name))
    if found is None:
        text = f"{account.name} has no device {name}"
        raise CommandError(text, code="NO_SUCH_DEVICE", params=(name,))
    return found


def _add(ctx: Context, account: Account, name: str, actor: str, *, here: bool = False) -> tuple[Device, Secret]:
    mine = ctx.hub.devices_of.get(account.id, {})
    if not is_device_name(name):
        text = f"A device's name has letters, digits, _ . and -, at most {NAME_LIMIT_CHARACTERS} of them"
        raise CommandError(text, code="BAD_DEVICE_NAME", params=(name,))
    if fold_device(name) in mine:
        text = f"There is a device {name} already; revoke it first, or choose another name"
        raise CommandError(text, code="DEVICE_EXISTS", params=(name,))
    if len(mine) >= DEVICES_LIMIT:
        text = f"{account.name} has {DEVICES_LIMIT} devices already; revoke one first"
        raise CommandError(text, code="TOO_MANY_DEVICES", params=(name,))
    token = ctx.ids.token()
    seen = (ctx.now_us, ctx.session.address) if here else (0, "")
    made = Device(token_digest(token.reveal()), account.id, name, ctx.now_us, *seen)
    ctx.add(DeviceSet(made), Audited(actor, "device add", account.name, name, ctx.now_us))
    ctx.log("device add", actor=actor, account=account.name, device=name)
    return made, token


def _revoke(ctx: Context, gone: Device, account: Account, actor: str) -> None:
    """The token is worth nothing any more, and the sessions it has opened end."""
    ctx.add(DeviceGone(gone), Audited(actor, "device revoke", account.name, gone.name, ctx.now_us))
    ctx.log("device revoke", actor=actor, account=account.name, device=gone.name)
    for session in ctx.hub.sessions_of(account.id):
        if session.token == gone.digest:
            ctx.close(session, REVOKED_TEXT)


# For the command line


@operation("device list", "name")
def device_list(ctx: Context, request: dict[str, Any]) -> None:
    """The devices of an account."""
    account = account_named(ctx, request["name"])
    ctx.answer["name"] = account.name
    ctx.answer["devices"] = [
        {
            "name": one.name,
            "made": format_time(one.made_us),
            "seen": format_time(one.seen_us) if one.seen_us else "",
            "address": one.address,
            "connected": is_here(ctx, one),
        }
        for one in devices_by_name(ctx, account)
    ]


@operation("device add", "name", "device")
def device_add(ctx: Context, request: dict[str, Any]) -> None:
    """A token for a device of somebody: shown once."""
    account = account_named(ctx, request["name"])
    made, token = _add(ctx, account, request["device"], ACTOR)
    ctx.answer |= {"name": account.name, "device": made.name, "token": token.reveal()}


@operation("device revoke", "name", "device")
def device_revoke(ctx: Context, request: dict[str, Any]) -> None:
    """End a device's token and its sessions."""
    account = account_named(ctx, request["name"])
    gone = device_named(ctx, account, request["device"])
    _revoke(ctx, gone, account, ACTOR)
    ctx.answer |= {"name": account.name, "device": gone.name}
