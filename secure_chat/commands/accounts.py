"""What the command-line tool can ask of accounts: add, passwd, list, disable, enable, remove."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from secure_chat.chat.accounts import Account
from secure_chat.chat.codes import Purpose
from secure_chat.chat.effects import AccountSet, Audited, LingeringEnded, MemberGone
from secure_chat.chat.errors import CommandError
from secure_chat.commands.codes import revoke_code
from secure_chat.commands.context import Context
from secure_chat.commands.forgetting import erase_messages
from secure_chat.commands.login import forgotten_devices
from secure_chat.commands.registry import operation
from secure_chat.commands.welcome import lobby_membership
from secure_chat.protocol.names import InvalidName, check_new_account_name, fold
from secure_chat.protocol.relay import format_time

ACTOR = "the command line"
MESSAGES_ERASED = "messages erased"


def ensure_name_is_free(ctx: Context, name: str) -> str:
    """The spelling to store for a new account's name. Raises CommandError."""
    try:
        account_id = ctx.hub.account_ids.get(fold(name))
        spelled = check_new_account_name(name) if account_id is None else name
    except InvalidName as error:
        raise CommandError(str(error)) from None
    if account_id is not None:
        taken = ctx.hub.accounts[account_id]
        text = f"There is an account {taken.name} already"
        if taken.removed:
            text = f"The name {taken.name} was removed and is never given again; choose another"
        raise CommandError(text)
    return spelled


@operation("user check", "name")
def user_check(ctx: Context, request: dict[str, Any]) -> None:
    """Whether a name could be added: asked before a password is."""
    ctx.answer["name"] = ensure_name_is_free(ctx, request["name"])


@operation("user add", "name", "password_hash")
def user_add(ctx: Context, request: dict[str, Any]) -> None:
    """Add an account; the password comes as a hash."""
    name = ensure_name_is_free(ctx, request["name"])
    account = Account(
        ctx.ids.number(),
        name,
        fold(name),
        request["password_hash"],
        administrator=bool(request.get("administrator")),
        created_us=ctx.now_us,
    )
    if account.administrator:
        ctx.owner_is_there()
    ctx.add(AccountSet(account), *lobby_membership(ctx, account.id))
    _audit(ctx, "user add", account, "administrator" if account.administrator else "")
    ctx.answer["name"] = name


@operation("user passwd", "name", "password_hash")
def user_passwd(ctx: Context, request: dict[str, Any]) -> None:
    """Set somebody's password: ends all its sessions."""
    account = account_named(ctx, request["name"])
    text = "The password was set by an administrator: log in again with the new one"
    _change(ctx, replace(account, password=request["password_hash"], epoch=account.epoch + 1), text)
    _audit(ctx, "user passwd", account)


@operation("user list")
def user_list(ctx: Context, request: dict[str, Any]) -> None:
    """All accounts, by name; removed ones only when asked for."""
    accounts = sorted(ctx.hub.accounts.values(), key=lambda account: account.folded)
    ctx.answer["accounts"] = [
        {
            "name": account.name,
            "administrator": account.administrator,
            "disabled": account.disabled,
            "removed": account.removed,
            "online": account.id in ctx.hub.presence,
            "sessions": len(ctx.hub.sessions_of(account.id)),
            "created": format_time(account.created_us),
        }
        for account in accounts
        if request.get("removed") or not account.removed
    ]


@operation("user disable", "name")
def user_disable(ctx: Context, request: dict[str, Any]) -> None:
    """Keep an account, but let nobody in with it: ends all its sessions."""
    account = account_named(ctx, request["name"])
    _keep_an_administrator(ctx, account)
    _change(ctx, replace(account, disabled=True, epoch=account.epoch + 1), "This account was disabled")
    _revoke_codes_of(ctx, account)
    _audit(ctx, "user disable", account)


@operation("user enable", "name")
def user_enable(ctx: Context, request: dict[str, Any]) -> None:
    """Let somebody in again."""
    account = account_named(ctx, request["name"])
    ctx.add(AccountSet(replace(account, disabled=False)))
    ctx.answer["name"] = account.name
    _audit(ctx, "user enable", account)


@operation("user remove", "name")
def user_remove(ctx: Context, request: dict[str, Any]) -> None:
    """End an account for good: its name stays reserved; `messages` says whether what it said is kept or erased.

    An account that was removed before can still be erased.
    """
    messages = request.get("messages", "keep")
    if messages not in ("keep", "erase"):
        raise CommandError("What was said is to be kept or erased: keep, erase")
    erase = messages == "erase"
    removed = ctx.hub.accounts.get(ctx.hub.account_ids.get(fold(request["name"]), 0))
    if erase and removed is not None and removed.removed:
        erase_messages(ctx, removed)
        _audit(ctx, "user remove", removed, MESSAGES_ERASED)
        ctx.answer["name"] = removed.name
        return
    account = account_named(ctx, request["name"])
    _keep_an_administrator(ctx, account)
    gone = replace(account, removed=True, password="", epoch=account.epoch + 1)
    _change(ctx, gone, "This account was removed")
    _revoke_codes_of(ctx, account)
    ctx.add(LingeringEnded(account.id, ctx.now_us))
    ctx.add(*(MemberGone(room.id, account.id) for room in ctx.hub.rooms_by_name(account.id)))
    if erase:
        erase_messages(ctx, account)
    _audit(ctx, "user remove", account, MESSAGES_ERASED if erase else "")


def account_named(ctx: Context, name: str) -> Account:
    """The account that the command line means. Raises CommandError."""
    account = ctx.hub.account_named(name)
    if account is None:
        text = f"There is no account {name}; `secure-chat user list` shows them"
        raise CommandError(text)
    return account


def _keep_an_administrator(ctx: Context, account: Account) -> None:
    others = [a for a in ctx.hub.accounts.values() if a.administrator and a.usable and a.id != account.id]
    if account.administrator and account.usable and not others:
        text = f"{account.name} is the last administrator; add another first"
        raise CommandError(text)


def _change(ctx: Context, changed: Account, reason: str) -> None:
    """Put the account's new state in place and end its sessions."""
    ctx.add(AccountSet(changed))
    ctx.add(*forgotten_devices(ctx, changed))
    for session in ctx.hub.sessions_of(changed.id):
        ctx.close(session, reason)
    ctx.answer["name"] = changed.name


def _revoke_codes_of(ctx: Context, account: Account) -> None:
    """What it has made to let others in, or itself again, and to set passwords of others."""
    for code in ctx.hub.codes.values():
        if fold(code.made_by) == account.folded and code.purpose is not Purpose.RECOVERY:
            revoke_code(ctx, code)


def _audit(ctx: Context, act: str, account: Account, detail: str = "") -> None:
    ctx.add(Audited(ACTOR, act, account.name, detail, ctx.now_us))
    ctx.log(act, actor=ACTOR, account=account.name)
