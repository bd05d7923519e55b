"""What the client asks at a terminal before it connects, in this order: server, name, trust, password."""

from __future__ import annotations

import getpass
import sys

from secure_chat.client.address import Address, BadAddress, parse_address
from secure_chat.client.format import harmless
from secure_chat.client.links import Invitation, is_link, parse_link
from secure_chat.client.texts import _
from secure_chat.client.trust import Stranger
from secure_chat.protocol.message import Secret
from secure_chat.protocol.names import InvalidName, check_account_name


def ask_server(default: str) -> Address | Invitation:
    """Ask where the server is until the answer is an address or an invitation's link. Raises EOFError,
    KeyboardInterrupt.
    """
    while True:
        answer = _ask(_("Enter the server (host or host:port, or paste the link you were given)"), default)
        try:
            if is_link(answer):
                return parse_link(answer)
            if answer:
                return parse_address(answer)
        except BadAddress as error:
            print(harmless(str(error)))


def ask_name(default: str) -> str:
    """Ask for the user's name until the answer can be one. Raises EOFError, KeyboardInterrupt."""
    while True:
        answer = _ask(_("Enter your name"), default)
        try:
            if answer:
                return check_identity(answer)
        except InvalidName as error:
            print(harmless(str(error)))


def check_identity(text: str) -> str:
    """A name, perhaps with a device (`alice@laptop`), as it is sent. Raises InvalidName."""
    name, at, device = text.strip().partition("@")
    return f"{check_account_name(name)}{at}{device}"


def ask_password() -> Secret:
    """Ask for the password (or a code, which `protocol.codes` knows); nothing of it is shown. Raises EOFError,
    KeyboardInterrupt.
    """
    while True:
        password = getpass.getpass(_("Enter your password") + ": ")
        if not can_be_sent(password):
            print(unsendable())
        elif password:
            return Secret(password)


def can_be_sent(text: str) -> bool:
    """Whether what was typed can be a parameter: keys such as Ctrl-@, or a terminal with another encoding than the
    program's, give what no line can carry.
    """
    shown = str.__str__(text)
    return not (set(shown) & set("\0\r\n") or any("\ud800" <= character <= "\udfff" for character in shown))


def unsendable() -> str:
    """What the user is told then."""
    return _("A character in this cannot be sent. Use letters, digits, signs and spaces.")


def ask_new_password_twice() -> Secret:
    """Ask for a new password until it is the same twice; nothing of it is shown. Raises EOFError,
    KeyboardInterrupt.
    """
    while True:
        password = getpass.getpass(_("Choose a password") + ": ")
        if password and getpass.getpass(_("The same password again") + ": ") == password:
            return Secret(password)
        print(_("The two differ, or are empty. Once more:"))


def ask_code(question: str) -> Secret:
    """Ask for a one-time code; it is shown while it is typed, being long. Raises EOFError, KeyboardInterrupt."""
    return Secret(_ask(question, ""))


def ask_trust(stranger: Stranger) -> str:
    """Show a stranger's fingerprint and ask whether it is the right one."""
    print(
        _(
            "The identity of {address} cannot be checked: {why}.\n"
            "The fingerprint of its key is:\n"
            "  {fingerprint}\n"
            "Compare it with the one that the owner of the server gave you. Nothing is sent before you answer."
        ).format(address=stranger.address, why=harmless(stranger.why), fingerprint=stranger.fingerprint)
    )
    while True:
        answer = _ask(_("Trust it and remember it? (yes/no, or paste the fingerprint)"), "")
        if answer:
            return answer


def ask_yes_or_no(question: str) -> bool:
    """Ask; nothing at all means no. Raises EOFError, KeyboardInterrupt."""
    return _ask(question, "").casefold() in {"y", "yes", "д", "да"}


def _ask(question: str, default: str) -> str:
    shown = f" [{harmless(default)}]" if default else ""
    sys.stdout.write(f"{question}{shown}: ")
    sys.stdout.flush()
    answer = sys.stdin.readline()
    if not answer:
        raise EOFError
    return answer.strip() or default
