"""Accounts by oneself: REGISTER and VERIFY (IRCv3 `draft/account-registration`), and what a one-time code does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from secure_chat.chat.accounts import Account
from secure_chat.chat.codes import Code, Purpose
from secure_chat.chat.deliveries import HashPassword, MoreTime, ToSession
from secure_chat.chat.effects import (
    AccountSet,
    Audited,
    CodeSet,
    Effect,
    LoginSucceeded,
    MemberSet,
    Registered,
    SessionSet,
)
from secure_chat.chat.errors import CommandError
from secure_chat.chat.rooms import Role
from secure_chat.chat.sessions import Application
from secure_chat.chat.settings import RegistrationMode
from secure_chat.chat.strength import WeakPassword, require_strong
from secure_chat.chat.views import refusal_lines
from secure_chat.commands.codes import CODE_FOLDED, NEW_ACCOUNTS, ask_for_hash, look_up, trouble_with
from secure_chat.commands.context import Context
from secure_chat.commands.login import BUSY_TEXT, STORE_TEXT, forgotten_devices, refusal, tell_logged_in
from secure_chat.commands.registry import Weight, command
from secure_chat.commands.welcome import complete_registration, lobby_membership
from secure_chat.protocol.message import Message, Secret
from secure_chat.protocol.names import InvalidName, check_account_name, check_new_account_name, fold

APPLICATION_SECONDS = 900.0
"""How long somebody who registers may look for the code."""
PASSWORD_LIMIT_BYTES = 300
"""Longer ones do not fit into other lines with a password (`account-registration`, "Client considerations")."""
RESET_TEXT = "The password was set by a code: log in again with the new one"


@dataclass(frozen=True, slots=True)
class PasswordHashed:
    """The pool's answer to a HashPassword; `new_hash` is None where it could not take the job."""

    job: HashPassword
    new_hash: str | None = field(repr=False)


@command(
    "REGISTER",
    min_params=3,
    usage="REGISTER <name|*> <email|*> <password>",
    before_login=True,
    weight=Weight.POST,
)
def register(ctx: Context, account: Secret, _email: Secret, *words: Secret) -> None:
    """Ask for an account of your own; unless registration is open, VERIFY with a code completes it."""
    _refuse_member(ctx)
    wanted = ctx.session.nick if account.reveal() == "*" else account.reveal()
    if not wanted:
        raise CommandError("Say with NICK how you want to be called", code="NEED_NICK", params=("*",))
    try:
        # An account that is there already may get a new password by a code.
        name = (check_account_name if fold(wanted) in ctx.hub.account_ids else check_new_account_name)(wanted)
    except InvalidName as error:
        raise CommandError(str(error), code="BAD_ACCOUNT_NAME", params=(wanted,)) from None
    password = Secret(" ".join(word.reveal() for word in words))
    _require_acceptable(ctx, password, name)
    if ctx.settings.registration is RegistrationMode.OPEN:
        _register_openly(ctx, name, password)
        return
    text = "Nothing is kept yet. Complete this with VERIFY and the code that you were given, within 15 minutes"
    if ctx.session.application is None:
        # Once: who repeats it would hold the connection for ever.
        ctx.add(MoreTime(ctx.session.id, APPLICATION_SECONDS))
    ctx.change_session(application=Application(name, password))
    ctx.tell(Message("REGISTER", ("VERIFICATION_REQUIRED", name, text), ctx.settings.server))


@command("VERIFY", min_params=2, usage="VERIFY <name> <code>", before_login=True, weight=Weight.POST)
def verify(ctx: Context, account: Secret, text: Secret) -> None:
    """Complete your registration with a one-time code; with a reset or recovery code, set a new password."""
    if ctx.session.account_id is not None and fold(account.reveal()) == ctx.account.folded:
        _claim(ctx, text)
        return
    _refuse_member(ctx)
    application = ctx.session.application
    shown = account.reveal()
    if application is None or fold(application.name) != fold(shown):
        raise CommandError("REGISTER this name first, on this connection", code="INVALID_CODE", params=(shown,))
    code = look_up(ctx, text, application.name)
    if isinstance(code, str):
        ctx.refuse(CommandError(code, code="INVALID_CODE", params=(application.name,)))
        return
    if code.purpose in NEW_ACCOUNTS:
        _require_free(ctx, application.name)
    ask_for_hash(ctx, "VERIFY", replace(application, digest=code.digest))


def _claim(ctx: Context, text: Secret) -> None:
    """Somebody who is logged in has the owner's code. Raises CommandError."""
    account = ctx.account
    code = look_up(ctx, text, account.name)
    if isinstance(code, str):
        ctx.refuse(CommandError(code, code="INVALID_CODE", params=(account.name,)))
        return
    if code.purpose is not Purpose.OWNER:
        _refuse_member(ctx)
    ctx.owner_is_there()
    ctx.add(AccountSet(replace(account, administrator=True)), CodeSet(replace(code, uses_left=0)))
    _record(ctx, "owner", account, "")
    said = f"{account.name} is an administrator now"
    ctx.tell(Message("VERIFY", ("SUCCESS", account.name, said), ctx.settings.server))


def _refuse_member(ctx: Context) -> None:
    if ctx.session.account_id is not None:
        text = f"You are logged in as {ctx.account.name} already"
        raise CommandError(text, code="ALREADY_AUTHENTICATED", params=(ctx.account.name,))


def _require_acceptable(ctx: Context, password: Secret, name: str) -> None:
    if len(password.reveal().encode()) > PASSWORD_LIMIT_BYTES:
        text = f"The password is longer than {PASSWORD_LIMIT_BYTES} bytes. Choose a shorter one."
        raise CommandError(text, code="UNACCEPTABLE_PASSWORD", params=(name,))
    try:
        require_strong(ctx.settings, password.reveal(), name)
    except WeakPassword as error:
        raise CommandError(str(error), code="WEAK_PASSWORD", params=(name,)) from None


def _require_free(ctx: Context, name: str) -> None:
    if fold(name) in ctx.hub.account_ids:
        text = f"The name {name} is taken; REGISTER another one"
        raise CommandError(text, code="ACCOUNT_EXISTS", params=(name,))


def _require_quota(ctx: Context, name: str) -> None:
    wait = ctx.hub.registrations.wait_seconds(ctx.session.address, ctx.now_us)
    if wait and not ctx.session.exempt:
        text = f"Too many accounts were registered from your address; try again in {wait // 60 + 1} min"
        raise CommandError(text, code="TEMPORARILY_UNAVAILABLE", params=(name,))


def _register_openly(ctx: Context, name: str, password: Secret) -> None:
    _require_quota(ctx, name)
    _require_free(ctx, name)
    ask_for_hash(ctx, "REGISTER", Application(name, password))


def hash_settled(ctx: Context, answer: PasswordHashed) -> None:
    """Whatever comes of it: the session no longer waits, and may go on with another code or name."""
    assert answer.job.session_id == ctx.session.id
    ctx.change_session(waiting=False)


def password_hashed(ctx: Context, answer: PasswordHashed) -> None:
    """Make the account, or set the password, that the code is for. Raises CommandError, Hopeless.

    All is asked again: two may have come with one code, or one name (exactly one wins).
    """
    purpose, application = answer.job.purpose, ctx.session.application
    assert application is not None
    ctx.if_lost += _undone(ctx, purpose)
    if answer.new_hash is None:
        raise _refused(purpose, application.name, BUSY_TEXT, "TEMPORARILY_UNAVAILABLE")
    code = ctx.hub.codes.get(application.digest) if application.digest is not None else None
    trouble = "There is no such code" if code is None else trouble_with(ctx, code, application.name)
    if application.digest is None:
        _require_quota(ctx, application.name)
    elif trouble:
        raise _refused(purpose, application.name, trouble, "INVALID_CODE")
    if code is None or code.purpose in NEW_ACCOUNTS:
        if fold(application.name) in ctx.hub.account_ids:
            raise _refused(purpose, application.name, f"The name {application.name} is taken", "ACCOUNT_EXISTS")
        account = _new_account(ctx, application.name, answer.new_hash, code)
    else:
        account = _new_password(ctx, application.name, answer.new_hash, code)
    if code is not None:
        ctx.add(CodeSet(replace(code, uses_left=code.uses_left - 1)))
        ctx.add(LoginSucceeded(ctx.session.address, CODE_FOLDED))
    ctx.change_session(account_id=account.id, epoch=account.epoch, application=None)


def _new_account(ctx: Context, name: str, password_hash: str, code: Code | None) -> Account:
    owner = code is not None and code.purpose is Purpose.OWNER
    number = ctx.ids.number()
    if owner:
        ctx.owner_is_there()
    account = Account(number, name, fold(name), password_hash, administrator=owner, created_us=ctx.now_us)
    ctx.add(AccountSet(account), *lobby_membership(ctx, account.id))
    if code is not None and code.room_id in ctx.hub.rooms:
        ctx.add(MemberSet(code.room_id, account.id, Role.MEMBER))
    if code is None:
        ctx.add(Registered(ctx.session.address, ctx.now_us))
    invited = f"invited by {code.made_by}, {code.id}" if code is not None and not owner else ""
    _record(ctx, "register", account, "owner" if owner else invited)
    return account


def _new_password(ctx: Context, name: str, password_hash: str, code: Code) -> Account:
    account = ctx.person(name)
    changed = replace(account, password=password_hash, epoch=account.epoch + 1)
    ctx.add(AccountSet(changed), *forgotten_devices(ctx, account))
    for session in ctx.hub.sessions_of(account.id):
        ctx.close(session, RESET_TEXT)
    _record(ctx, "password by code", changed, f"{code.purpose} code by {code.made_by}")
    return changed


def _record(ctx: Context, act: str, account: Account, detail: str) -> None:
    ctx.add(Audited(account.name, act, account.name, detail, ctx.now_us))
    ctx.log(act, account=account.name, session=ctx.session.id, address=ctx.session.address)


def _undone(ctx: Context, purpose: str) -> list[Effect]:
    """Where the store lost it: the session is as it was, and is told."""
    error = _refused(purpose, "*", STORE_TEXT, "TEMPORARILY_UNAVAILABLE")
    before = ctx.session.but(account_id=None, application=None)
    told = refusal_lines(ctx.hub, before, purpose, error)
    return [SessionSet(before), ToSession(before.id, [*told])]


def _refused(purpose: str, name: str, text: str, code: str) -> CommandError:
    if purpose in ("REGISTER", "VERIFY"):
        return CommandError(text, code=code, params=(name,))
    return refusal(purpose, text, code)


def _tell(ctx: Context, purpose: str, account: Account) -> None:
    if purpose in ("REGISTER", "VERIFY"):
        text = f"Welcome, {account.name}: from now on log in with your password"
        ctx.tell(Message(purpose, ("SUCCESS", account.name, text), ctx.settings.server))
    tell_logged_in(ctx, account, sasl=purpose == "AUTHENTICATE")


def redeemed(ctx: Context, answer: PasswordHashed) -> None:
    """After `password_hashed`, when its account is in place: the session may be complete now. Raises Hopeless."""
    if ctx.maybe_session is None:
        return  # Refused by PASS: it was closed.
    if ctx.session.account_id is not None:
        _tell(ctx, answer.job.purpose, ctx.account)
        complete_registration(ctx)
    elif answer.job.purpose != "VERIFY":
        # What REGISTER began may go on with another code; nothing is left of any other.
        ctx.change_session(application=None)
