"""Ways back for who has lost the password: recovery codes made in advance, reset codes from an administrator."""

from __future__ import annotations

from secure_chat.chat.accounts import Account
from secure_chat.chat.codes import RECOVERY_CODES, RECOVERY_SECONDS, RESET_SECONDS, Purpose
from secure_chat.chat.effects import Audited, CodeGone
from secure_chat.commands.codes import link_to, make_code
from secure_chat.commands.context import Context
from secure_chat.commands.registry import Weight, command
from secure_chat.protocol.message import Secret


def give_recovery_codes(ctx: Context, account: Account) -> None:
    """Tell the session ten new codes; those from before are forgotten."""
    ctx.add(*(CodeGone(code.digest) for code in ctx.hub.codes_of(Purpose.RECOVERY, account.id)))
    for place in range(1, RECOVERY_CODES + 1):
        _, secret = make_code(ctx, Purpose.RECOVERY, account.name, RECOVERY_SECONDS, account=account)
        text = f"Recovery code {place} of {RECOVERY_CODES}: {secret.reveal()}"
        ctx.note("RECOVERY", "CODE", text, str(place), secret)
    text = "Keep them on paper: each sets a new password, once. Codes from before are worth nothing now"
    ctx.note("RECOVERY", "DONE", text)
    ctx.add(Audited(account.name, "recovery codes", account.name, "", ctx.now_us))
    ctx.log("recovery codes", account=account.name)


@command("RESET", min_params=1, usage="RESET <name>", weight=Weight.POST)
def reset(ctx: Context, name: str) -> None:
    """Get a one-time link with which somebody sets a new password; for administrators."""
    ctx.require_administrator()
    person = ctx.person(name)
    _, link = make_reset(ctx, person, ctx.account.name)
    text = f"Give this to {person.name}, not over this chat; it is valid for 24 hours: {link.reveal()}"
    ctx.note("RESET", "LINK", text, person.name)


def make_reset(ctx: Context, account: Account, actor: str) -> tuple[Secret, Secret]:
    """A code that sets the account's password once, and a link that carries it. Raises CommandError."""
    _, secret = make_code(ctx, Purpose.RESET, actor, RESET_SECONDS, account=account)
    link = link_to(ctx, secret, account.name)
    ctx.add(Audited(actor, "reset", account.name, "", ctx.now_us))
    ctx.log("reset", actor=actor, account=account.name)
    return secret, link
