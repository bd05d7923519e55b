"""Authentication: AUTHENTICATE, PASS, PASSWORD, and what the password pool answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from secure_chat.chat.accounts import Account
from secure_chat.chat.deliveries import CheckPassword, ToSession
from secure_chat.chat.devices import SEEN_AGAIN_US, token_digest
from secure_chat.chat.effects import (
    AccountSet,
    Audited,
    DeviceGone,
    DeviceSet,
    Effect,
    LoginFailed,
    LoginRemembered,
    SessionSet,
)
from secure_chat.chat.errors import CommandError, Hopeless
from secure_chat.chat.sessions import Application
from secure_chat.chat.strength import WeakPassword, require_strong
from secure_chat.chat.views import refusal_lines
from secure_chat.commands.codes import CODE_FOLDED, ask_for_hash, usable_code
from secure_chat.commands.context import Context
from secure_chat.protocol.message import Secret
from secure_chat.protocol.names import InvalidName, check_new_account_name, fold
from secure_chat.protocol.numerics import Numeric
from secure_chat.protocol.sasl import Credentials, Identity, is_token, parse_identity

NOBODY = 0
"""No account has this id."""
KNOWN_PAIR_US = 30 * 86_400 * 1_000_000
"""How long a pair of account and address that logged in is exempt from the address's throttle."""
BUSY_TEXT = "The server is busy with logins; try again later"
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


def start_login(
    ctx: Context, purpose: str, credentials: Credentials, new_password: Secret | None = None
) -> Account | None:
    """Begin to check who somebody is; `purpose` is the command it was for. Raises CommandError, Hopeless.

    Gives the account that a device's token has opened at once, or None where the pool's answer is to come, or
    where the refusal is said already.
    """
    identity = parse_identity(credentials.identity)
    name, session = identity.name, ctx.session
    account = ctx.hub.account_named(name)
    account_id = account.id if account is not None else None
    ctx.if_lost += _not_begun(ctx, purpose)
    # Asked for unknown names as well: neither the time it takes nor a disk that fails may tell them from others.
    known = ctx.store.logged_in_from(account_id or NOBODY, session.address, ctx.now_us - KNOWN_PAIR_US)
    by_token = is_token(credentials.password.reveal())
    if by_token and (opened := _opened_by_token(ctx, purpose, account, credentials)) is not None:
        return opened
    _require_no_wait(ctx, purpose, identity, known=known)
    if by_token:
        _refuse_token(ctx, purpose, name)
        return None
    if identity.code is not None and account is None and _apply_with_code(ctx, purpose, identity, credentials):
        return None
    ctx.change_session(waiting=True)
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
            identity.device,
        )
    )
    return None


def _require_no_wait(ctx: Context, purpose: str, identity: Identity, *, known: bool) -> None:
    """Raises CommandError, Hopeless for who has been wrong too often. Whether the name exists plays no part."""
    throttle, session = ctx.hub.throttle, ctx.session
    wait = throttle.wait_seconds(session.address, fold(identity.name), ctx.now_us, known=known)
    text = f"Too many wrong passwords; try again in {wait} s"
    if identity.code is not None and not known:
        wait = max(wait, throttle.wait_seconds(session.address, CODE_FOLDED, ctx.now_us, known=False))
        text = f"Too many wrong codes; try again in {wait} s"
    if wait and not session.exempt:
        raise refusal(purpose, text, "TRY_AGAIN_LATER")


def _apply_with_code(ctx: Context, purpose: str, identity: Identity, credentials: Credentials) -> bool:
    """Somebody new logs in as `NAME/invite=CODE`: whether the code is valid, and the account is being made.

    A wrong code is answered, and counted, like a wrong password, by the pool, so that nobody learns which names
    there are. Raises CommandError.
    """
    assert identity.code is not None
    if purpose not in ("AUTHENTICATE", "PASS") or ctx.session.account_id is not None:
        return False
    code = usable_code(ctx, identity.code, identity.name)
    if isinstance(code, str):
        return False
    try:
        name = check_new_account_name(identity.name)
        if fold(name) in ctx.hub.account_ids:
            raise refusal(purpose, f"The name {name} is taken; choose another one", "ACCOUNT_EXISTS")
        require_strong(ctx.settings, credentials.password.reveal(), name)
    except (InvalidName, WeakPassword) as error:
        raise refusal(purpose, str(error), "INVALID_CREDENTIALS") from None
    ctx.change_session(named_device=identity.device)
    ask_for_hash(ctx, purpose, Application(name, credentials.password, code.digest))
    return True


def _opened_by_token(
    ctx: Context, purpose: str, account: Account | None, credentials: Credentials
) -> Account | None:
    """The account, where this is the token of one of its devices: who has that does not wait for others of the
    address. Raises CommandError.
    """
    if purpose not in ("AUTHENTICATE", "PASS"):
        raise refusal(purpose, "A token is not enough for this: give the account's password", "INVALID_CREDENTIALS")
    session = ctx.session
    device = ctx.hub.devices.get(token_digest(credentials.password.reveal()))
    if account is None or device is None or device.account_id != account.id or not account.usable:
        return None
    if session.account_id not in (None, account.id):
        raise CommandError("You are logged in as somebody else already", Numeric.ERR_SASLALREADY)
    if ctx.now_us - device.seen_us > SEEN_AGAIN_US or device.address != session.address:
        ctx.add(DeviceSet(replace(device, seen_us=ctx.now_us, address=session.address)))
    if not session.welcomed:  # from then on it has its device
        ctx.change_session(named_device=device.name, token=device.digest)
    return account


def _refuse_token(ctx: Context, purpose: str, name: str) -> None:
    """Say that it opens nothing, and count it."""
    session, text = ctx.session, "Wrong name, or this token was revoked"
    ctx.add(LoginFailed(session.address, fold(name), ctx.now_us))
    ctx.log("login refused", session=session.id, account="(by token)", address=session.address)
    ctx.refuse(refusal(purpose, text, "INVALID_CREDENTIALS"))
    if purpose == "PASS":
        ctx.close(session, text)


def tell_logged_in(ctx: Context, account: Account, *, sasl: bool) -> None:
    """900, and 903 where it was by SASL (IRCv3 `sasl-3.1`)."""
    source = f"{account.name}!{ctx.session.user or '*'}@{ctx.settings.host}"
    ctx.reply(Numeric.RPL_LOGGEDIN, source, account.name, f"You are now logged in as {account.name}")
    if sasl:
        ctx.reply(Numeric.RPL_SASLSUCCESS, "SASL authentication successful")


def _not_begun(ctx: Context, purpose: str) -> Sequence[Effect]:
    """What is done where the store cannot be asked: the client is told, and may begin again."""
    if purpose == "PASS":
        return ctx.closing(ctx.session, STORE_TEXT)
    refused = refusal_lines(ctx.hub, ctx.session, purpose, refusal(purpose, STORE_TEXT, "STORAGE_ERROR"))
    return [SessionSet(ctx.session), ToSession(ctx.session.id, [*refused])]


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
        raise refusal(job.purpose, BUSY_TEXT, "TRY_AGAIN_LATER")
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


def forgotten_devices(ctx: Context, account: Account, keep: bytes | None = None) -> list[Effect]:
    """What ends the tokens of an account, but the one with the digest `keep`."""
    devices = ctx.hub.devices_of.get(account.id, {}).values()
    return [DeviceGone(device) for device in devices if device.digest != keep]


def change_password(ctx: Context, account: Account, answer: PasswordChecked) -> None:
    """Put the new password in place of the old; drop the account's other sessions. Raises CommandError."""
    if answer.weakness is not None:
        raise CommandError(answer.weakness, code="WEAK_PASSWORD")
    assert answer.new_hash is not None
    changed = replace(account, password=answer.new_hash, epoch=account.epoch + 1)
    ctx.change_session(epoch=changed.epoch)
    ctx.add(AccountSet(changed), Audited(account.name, "password changed", account.name, "", ctx.now_us))
    ctx.add(*forgotten_devices(ctx, account, keep=ctx.session.token))
    for session in ctx.hub.sessions_of(account.id):
        if session.id != ctx.session.id:
            ctx.close(session, "The password was changed: log in again with the new one")
    ctx.note("PASSWORD", "CHANGED", "Your password is changed")
    ctx.log("password changed", account=account.name)
