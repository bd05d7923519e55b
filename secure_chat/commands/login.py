"""Authentication: AUTHENTICATE, PASS, PASSWORD, and what the password pool answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from secure_chat.chat.accounts import Account
from secure_chat.chat.deliveries import CheckPassword, ToSession
from secure_chat.chat.effects import AccountSet, Audited, Effect, LoginFailed, LoginRemembered, SessionSet
from secure_chat.chat.errors import CommandError, Hopeless
from secure_chat.chat.views import refusal_lines
from secure_chat.commands.context import Context
from secure_chat.protocol.message import Secret
from secure_chat.protocol.names import fold
from secure_chat.protocol.numerics import Numeric
from secure_chat.protocol.sasl import Credentials, parse_identity

KNOWN_PAIR_US = 30 * 86_400 * 1_000_000
"""How long a pair of account and address that logged in is exempt from the address's throttle."""
STORE_TEXT = "The server cannot use its disk; try again later"
REMEMBER_AGAIN_US = 86_400 * 1_000_000
"""How old the note of a login must be before a new one is written."""


@dataclass(frozen=True, slots=True)
class PasswordChecked:
    """The pool's answer to a CheckPassword.

    `right` is None where the pool could not take the job. `rehashed` is a hash by today's parameters where the
    stored one is older; `new_hash` that of the new password. `weakness` tells why that is refused.
    """

    job: CheckPassword
    right: bool | None
    rehashed: str | None = field(default=None, repr=False)
    new_hash: str | None = field(default=None, repr=False)
    weakness: str | None = None


def start_login(ctx: Context, purpose: str, credentials: Credentials, new_password: Secret | None = None) -> None:
    """Ask for the check of a password; `purpose` is the command it was for. Raises CommandError, Hopeless."""
    name, device = parse_identity(credentials.identity)
    account, session = ctx.hub.account_named(name), ctx.session
    account_id = account.id if account is not None else None
    ctx.if_lost += _not_begun(ctx, purpose)
    known = account_id is not None and ctx.store.logged_in_from(
        account_id, session.address, ctx.now_us - KNOWN_PAIR_US
    )
    wait = ctx.hub.throttle.wait_seconds(session.address, fold(name), ctx.now_us, known=known)
    if wait and not session.exempt:
        raise refusal(purpose, f"Too many wrong passwords; try again in {wait} s", "TRY_AGAIN_LATER")
    ctx.change_session(waiting=True, device=device)
    ctx.add(
        CheckPassword(
            session.id,
            purpose,
            name,
            session.address,
            account_id,
            account.epoch if account is not None else 0,
            known,
            credentials.password,
            account.password if account is not None and account.usable else None,
            new_password,
            ctx.label,
        )
    )


def _not_begun(ctx: Context, purpose: str) -> Sequence[Effect]:
    """What is done where the store cannot be asked: the client is told, and may begin again."""
    if purpose == "PASS":
        return ctx.closing(ctx.session, STORE_TEXT)
    refused = refusal_lines(ctx.hub, ctx.session, purpose, refusal(purpose, STORE_TEXT, "STORAGE_ERROR"))
    return [SessionSet(ctx.session), *(ToSession(ctx.session.id, line) for line in refused)]


def refusal(purpose: str, text: str, code: str) -> CommandError:
    """How a failed login is refused, by the command it came with."""
    match purpose:
        case "AUTHENTICATE":
            return CommandError(text, Numeric.ERR_SASLFAIL)
        case "PASS":
            return Hopeless(text, Numeric.ERR_PASSWDMISMATCH)
        case _:
            return CommandError(text, code=code)


def checked_account(ctx: Context, answer: PasswordChecked) -> Account:
    """The account that a right password has opened. Raises CommandError, Hopeless.

    An answer from before the account's credentials changed is a failure (design: credential epoch).
    """
    job = answer.job
    account = ctx.hub.accounts.get(job.account_id) if job.account_id is not None else None
    if answer.right is None:
        raise refusal(job.purpose, "The server is busy with logins; try again later", "TRY_AGAIN_LATER")
    if not answer.right or account is None or not account.usable or account.epoch != job.epoch:
        raise refusal(job.purpose, "Wrong name or password", "INVALID_CREDENTIALS")
    return account


def note_failure(ctx: Context, job: CheckPassword) -> None:
    """Count a wrong password. The name is logged only where such an account exists."""
    ctx.add(LoginFailed(job.address, fold(job.identity), ctx.now_us))
    account = ctx.hub.accounts.get(job.account_id) if job.account_id is not None else None
    shown = account.name if account is not None else "(no such account)"
    ctx.log("login refused", session=job.session_id, account=shown, address=job.address)


def remember_login(ctx: Context, answer: PasswordChecked) -> None:
    """Keep the pair of account and address, and a hash by today's parameters; the login does not wait for it."""
    job = answer.job
    account = ctx.hub.accounts.get(job.account_id) if answer.right and job.account_id is not None else None
    if account is None or account.epoch != job.epoch:
        return
    if not ctx.store.logged_in_from(account.id, job.address, ctx.now_us - REMEMBER_AGAIN_US):
        ctx.add(LoginRemembered(account.id, job.address, ctx.now_us))
    if answer.rehashed is not None and account.password == job.stored:
        ctx.add(AccountSet(replace(account, password=answer.rehashed)))


def change_password(ctx: Context, account: Account, answer: PasswordChecked) -> None:
    """Put the new password in place of the old; drop the account's other sessions. Raises CommandError."""
    if answer.weakness is not None:
        raise CommandError(answer.weakness, code="WEAK_PASSWORD")
    assert answer.new_hash is not None
    changed = replace(account, password=answer.new_hash, epoch=account.epoch + 1)
    ctx.change_session(epoch=changed.epoch)
    ctx.add(AccountSet(changed), Audited(account.name, "password changed", account.name, "", ctx.now_us))
    for session in ctx.hub.sessions_of(account.id):
        if session.id != ctx.session.id:
            ctx.close(session, "The password was changed: log in again with the new one")
    ctx.note("PASSWORD", "CHANGED", "Your password is changed")
    ctx.log("password changed", account=account.name)
