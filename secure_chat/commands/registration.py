"""Before a session is let in: PASS, NICK, USER, AUTHENTICATE; and PASSWORD, which asks for it again."""

from __future__ import annotations

import re
from dataclasses import replace

from secure_chat.chat.accounts import Account
from secure_chat.chat.deliveries import ToSessions
from secure_chat.chat.effects import AccountSet, LoginSucceeded
from secure_chat.chat.errors import CommandError
from secure_chat.commands.context import Context
from secure_chat.commands.login import (
    PasswordChecked,
    change_password,
    checked_account,
    note_failure,
    start_login,
    tell_logged_in,
)
from secure_chat.commands.recovery import give_recovery_codes
from secure_chat.commands.registry import Weight, command
from secure_chat.commands.welcome import complete_registration
from secure_chat.protocol.message import Message, Secret, cut
from secure_chat.protocol.names import (
    USER_LIMIT_CHARACTERS,
    InvalidName,
    check_account_name,
    fold,
)
from secure_chat.protocol.numerics import Numeric
from secure_chat.protocol.sasl import (
    MECHANISMS,
    PASSWORD_LIMIT_BYTES,
    Chunks,
    Credentials,
    SaslError,
    SaslTooLong,
    parse_plain,
)

REALNAME_LIMIT_BYTES = 50
USER_LIMIT_BYTES = 20
"""With these, no reply about a person is longer than a line, whatever the names."""
_NOT_IN_USER = re.compile(r"[\x00-\x20\x7f!@:,*?#]")
_NOT_IN_REALNAME = re.compile(r"[\x00-\x1f\x7f]")


@command(
    "PASS",
    min_params=1,
    usage="PASS <account>:<password>",
    before_login=True,
    after_login=False,
    weight=Weight.FREE,
)
def pass_(ctx: Context, *words: Secret) -> None:
    """Log in without SASL: checked when registration completes."""
    # What was said last counts: nobody who gives a password waits for VERIFY.
    ctx.change_session(password=Secret(" ".join(word.reveal() for word in words)), application=None)
    complete_registration(ctx)


@command("NICK", usage="NICK <name>", before_login=True)
def nick(ctx: Context, name: str = "") -> None:
    """Say who you are; once logged in, the nick is the account's name."""
    if not name:
        raise CommandError("No nickname given", Numeric.ERR_NONICKNAMEGIVEN)
    try:
        spelled = check_account_name(name)
    except InvalidName as error:
        raise CommandError(str(error), Numeric.ERR_ERRONEUSNICKNAME, (name,)) from None
    if not ctx.session.welcomed:
        ctx.change_session(nick=spelled)
        complete_registration(ctx)
    elif spelled != ctx.account.name:
        _respell(ctx, spelled)


def _respell(ctx: Context, spelled: str) -> None:
    account = ctx.account
    if fold(spelled) == account.folded:
        line = ctx.relayed("NICK", spelled, msgid=False)
        own = tuple(s.id for s in ctx.hub.sessions_of(account.id) if s.id != ctx.session.id)
        ctx.add(ToSessions((*ctx.hub.neighbours(account.id), *own), line))
        ctx.tell(line)
        ctx.add(AccountSet(replace(account, name=spelled)))
    elif ctx.hub.account_ids.get(fold(spelled)) is not None:
        raise CommandError("This name belongs to another account", Numeric.ERR_NICKNAMEINUSE, (spelled,))
    else:
        text = f"Your nick is your account's name, {account.name}"
        raise CommandError(text, Numeric.ERR_NICKCHANGENOTALLOWED, (spelled,))


@command(
    "USER",
    min_params=4,
    usage="USER <user> 0 * :<real name>",
    before_login=True,
    after_login=False,
    weight=Weight.FREE,
)
def user(ctx: Context, name: str, _mode: str, _unused: str, realname: str) -> None:
    """Give the user name and real name that others see."""
    clean = cut(_NOT_IN_USER.sub("", name)[:USER_LIMIT_CHARACTERS], USER_LIMIT_BYTES) or "user"
    shown = cut(_NOT_IN_REALNAME.sub(" ", realname), REALNAME_LIMIT_BYTES)
    ctx.change_session(user=clean, realname=shown)
    complete_registration(ctx)


@command(
    "AUTHENTICATE", min_params=1, usage="AUTHENTICATE <mechanism|chunk|*>", before_login=True, weight=Weight.FREE
)
def authenticate(ctx: Context, parameter: Secret) -> None:
    """Log in with SASL PLAIN (IRCv3 `sasl-3.2`)."""
    word = parameter.reveal()
    if word == "*":
        ctx.change_session(sasl=None)
        ctx.refuse(CommandError("SASL authentication aborted", Numeric.ERR_SASLABORTED))
        return
    if ctx.session.sasl is None:
        _begin(ctx, word.upper())
    else:
        _go_on(ctx, ctx.session.sasl, parameter)


def _begin(ctx: Context, mechanism: str) -> None:
    if mechanism not in MECHANISMS:
        ctx.reply(Numeric.RPL_SASLMECHS, ",".join(MECHANISMS), "are available SASL mechanisms")
        ctx.reply(Numeric.ERR_SASLFAIL, "This SASL mechanism is not supported")
        return
    ctx.change_session(sasl=Chunks())
    ctx.tell(Message("AUTHENTICATE", ("+",), ctx.settings.server))


def _go_on(ctx: Context, chunks: Chunks, chunk: Secret) -> None:
    ctx.change_session(sasl=None)
    try:
        whole = chunks.add(chunk)
        if isinstance(whole, Chunks):
            ctx.change_session(sasl=whole)
        else:
            account = start_login(ctx, "AUTHENTICATE", parse_plain(whole))
            if account is not None:
                _logged_in(ctx, account, "AUTHENTICATE")
    except SaslTooLong as error:
        ctx.refuse(CommandError(str(error), Numeric.ERR_SASLTOOLONG))
    except SaslError as error:
        ctx.refuse(CommandError(str(error), Numeric.ERR_SASLFAIL))
    except CommandError as error:
        ctx.refuse(error)


@command("PASSWORD", min_params=1, usage="PASSWORD <base64 of: old password NUL new password>", weight=Weight.POST)
def password(ctx: Context, chunk: Secret) -> None:
    """Change your own password; sent in chunks as AUTHENTICATE sends them."""
    chunks = ctx.session.new_password or Chunks()
    ctx.change_session(new_password=None)
    try:
        whole = chunks.add(chunk)
        if isinstance(whole, Chunks):
            ctx.change_session(new_password=whole)
            return
        old, new = _parse_change(whole)
        start_login(ctx, "PASSWORD", Credentials(ctx.account.name, old), new)
    except SaslError as error:
        ctx.refuse(CommandError(str(error), code="INVALID_PARAMS"))
    except CommandError as error:
        ctx.refuse(error)


@command("RECOVERY", min_params=1, usage="RECOVERY <base64 of the password>", weight=Weight.POST)
def recovery(ctx: Context, chunk: Secret) -> None:
    """Get ten recovery codes, in the place of those from before: each sets a new password, once."""
    try:
        whole = Chunks().add(chunk)
        secret = "" if isinstance(whole, Chunks) else whole.decode()
    except (SaslError, UnicodeDecodeError):
        secret = ""
    if not secret:
        raise CommandError("The password is needed, in base64 and one line", code="INVALID_PARAMS")
    start_login(ctx, "RECOVERY", Credentials(ctx.account.name, Secret(secret)))


def _parse_change(payload: bytes) -> tuple[Secret, Secret]:
    """The old and the new password. Raises SaslError."""
    old, nul, new = payload.partition(b"\0")
    text = "The old and the new password are needed, as UTF-8"
    if not nul or not old or max(len(old), len(new)) > PASSWORD_LIMIT_BYTES:
        raise SaslError(text)
    try:
        return Secret(old.decode()), Secret(new.decode())
    except UnicodeDecodeError:
        raise SaslError(text) from None


def password_checked(ctx: Context, answer: PasswordChecked) -> None:
    """Go on where the session waited for its password to be checked. Raises CommandError, Hopeless."""
    account = checked_account(ctx, answer)
    purpose = answer.job.purpose
    if purpose == "PASSWORD":
        ctx.add(LoginSucceeded(answer.job.address, account.folded))
        change_password(ctx, account, answer)
    elif purpose == "RECOVERY":
        ctx.add(LoginSucceeded(answer.job.address, account.folded))
        give_recovery_codes(ctx, account)
    else:
        ctx.change_session(named_device=answer.job.device)
        _logged_in(ctx, account, purpose)


def _logged_in(ctx: Context, account: Account, purpose: str) -> None:
    """Somebody has proved to be `account`. Raises CommandError, Hopeless."""
    if ctx.session.account_id not in (None, account.id):
        raise CommandError("You are logged in as somebody else already", Numeric.ERR_SASLALREADY)
    ctx.add(LoginSucceeded(ctx.session.address, account.folded))
    ctx.change_session(account_id=account.id, epoch=account.epoch)
    if purpose == "AUTHENTICATE":
        tell_logged_in(ctx, account, sasl=True)
    complete_registration(ctx)


def password_settled(ctx: Context, answer: PasswordChecked) -> None:
    """Whatever the pool's answer is: the session no longer waits, and a wrong password is noted."""
    ctx.change_session(waiting=False)
    if answer.right is False:
        note_failure(ctx, answer.job)
