"""What is wrong with a server as seen from here: each step from its name to its greeting, in words."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Generator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from secure_chat.client.address import Address
from secure_chat.client.certificate import CertificateFacts, facts_of
from secure_chat.client.fingerprint import fingerprint_of
from secure_chat.client.greeting import Greeting, ask_greeting
from secure_chat.client.known_servers import KnownServers
from secure_chat.client.texts import _
from secure_chat.client.trust import pinning, verifying
from secure_chat.errors import TrustError
from secure_chat.findings import Finding, Level, ok, problem, warning

CONNECT_SECONDS = 5.0
"""For each address of the host, and for the TLS handshake."""
ENDS_SOON = timedelta(days=14)
CLOCK_TOLERANCE = timedelta(seconds=60)

Resolved = tuple[int, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]
"""Family and socket address."""


class _NoFurther(Exception):
    """What was found is in the way of all that would come after it."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding


def examine_server(
    address: Address, known: KnownServers, *, now: datetime, ca_file: Path | None = None
) -> Iterator[Finding]:
    """The findings, in the order of the steps; it ends with the first step that fails. Blocks.

    `now` is this computer's time. No name and no password is sent, and nothing at all to a server whose key is
    not the remembered one.
    """
    try:
        resolved = yield from _resolve(address)
        reached = yield from _reach(address, resolved)
        with _shake_hands(address, reached, pinning()) as tls:
            yield ok(_("It speaks {version}.").format(version=tls.version()))
            certificate = tls.getpeercert(binary_form=True) or b""
            facts = facts_of(certificate)
            shown = fingerprint_of(certificate)
            remembered = known.fingerprint(address)
            yield from _judge_trust(address, shown, remembered, known.path)
            if remembered is None:
                yield _judge_chain(address, reached, shown, ca_file)
            yield _judge_names(address, facts, pinned=remembered is not None)
            yield _judge_dates(facts, now)
            yield from _judge_greeting(tls, now)
    except _NoFurther as end:
        yield end.finding
    except TrustError as error:
        yield problem(str(error), _("Mend that, then run this again."))


def _resolve(address: Address) -> Generator[Finding, None, list[Resolved]]:
    """Gives the addresses of the host, through the value of the generator."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        if getattr(error, "errno", None) == socket.EAI_AGAIN:
            text = _("The name {host} cannot be looked up now: no name server answers.")
            remedy = _("Check this computer's network, or use the server's address in place of its name.")
        else:
            text = _("There is no host {host}.")
            remedy = _("Check the spelling, or ask the owner of the server for its address.")
        raise _NoFurther(problem(text.format(host=address.host), remedy)) from None
    resolved: list[Resolved] = [(family, where) for family, _type, _protocol, _name, where in found]
    resolved = list(dict.fromkeys(resolved))
    shown = ", ".join(str(where[0]) for _family, where in resolved)
    yield ok(_("{host} is {addresses}.").format(host=address.host, addresses=shown))
    return resolved


def _reach(address: Address, resolved: list[Resolved]) -> Generator[Finding, None, Resolved]:
    """Gives the first address that takes a connection, through the value of the generator."""
    reached, failed = [], []
    for one in resolved:
        try:
            _connect(one).close()
            reached.append(one)
        except OSError as error:
            failed.append(_unreachable(Address(str(one[1][0]), address.port), error))
    if not reached:
        yield from failed[:-1]
        raise _NoFurther(failed[-1])
    for finding in failed:
        yield warning(finding.text, finding.remedy)
    yield ok(_("Port {port} is open at {host}.").format(port=address.port, host=reached[0][1][0]))
    return reached[0]


def _connect(resolved: Resolved) -> socket.socket:
    family, where = resolved
    raw = socket.socket(family, socket.SOCK_STREAM)
    try:
        raw.settimeout(CONNECT_SECONDS)
        raw.connect(where)
    except BaseException:
        raw.close()
        raise
    return raw


def _unreachable(address: Address, error: OSError) -> Finding:
    if isinstance(error, ConnectionRefusedError):
        text = _("{address} refuses connections: the computer is there, but nobody listens at that port.")
        remedy = _("Start the server, or correct the port. On its computer, run: secure-chat doctor --home DIR")
    elif isinstance(error, TimeoutError):
        text = _("{address} does not answer at all.")
        remedy = _(
            "Either the computer is off or has another address, or a firewall or router on the way drops what "
            "is sent to port {port}: open or forward that port."
        )
    elif isinstance(error, PermissionError) or error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        text = _("There is no way to {address} ({why}).")
        remedy = _("Check this computer's network, and whether a firewall forbids the way to port {port}.")
    else:
        text = _("{address} cannot be reached ({why}).")
        remedy = _("Check this computer's network.")
    values = {"address": address, "port": address.port, "why": error.strerror or error}
    return problem(text.format(**values), remedy.format(**values))


def _shake_hands(address: Address, resolved: Resolved, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A TLS connection. Raises _NoFurther, and ssl.SSLCertVerificationError where the context refused."""
    try:
        raw = _connect(resolved)
        try:
            return context.wrap_socket(raw, server_hostname=address.host)
        except BaseException:
            raw.close()
            raise
    except ssl.SSLCertVerificationError:
        raise
    except (OSError, ValueError) as error:
        raise _NoFurther(_no_tls(address, error)) from None


def _no_tls(address: Address, error: Exception) -> Finding:
    reason = getattr(error, "reason", None) or ""
    if isinstance(error, TimeoutError):
        text = _("{address} takes connections, but answers nothing to TLS.")
        remedy = _("It is another service, or the server is stuck or overloaded: see its log.")
    elif "PROTOCOL_VERSION" in reason or "UNSUPPORTED_PROTOCOL" in reason:
        text = _("{address} speaks only a TLS older than 1.2, which is not safe.")
        remedy = _("Its owner must update that server.")
    elif "HANDSHAKE_FAILURE" in reason:
        text = _("{address} speaks TLS, but has no way to encrypt in common with us.")
        remedy = _("Its owner must look at the certificate and the TLS settings.")
    elif isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        text = _("{address} does not speak TLS ({why}).")
        remedy = _("Check the port: the chat's is {port} unless the owner chose another.")
    else:
        text = _("{address} ends the connection before TLS begins.")
        remedy = _("It is another service, or the server is busy or refuses this address: try later, see its log.")
    values = {"address": address, "why": reason, "port": Address("x").port}
    return problem(text.format(**values), remedy.format(**values))


def _judge_trust(address: Address, shown: str, remembered: str | None, path: Path) -> Iterator[Finding]:
    if remembered is not None and remembered != shown:
        text = _("THE KEY OF {address} HAS CHANGED: remembered is {remembered}, shown was {shown}.")
        remedy = _(
            "Somebody may be listening in, or the owner has made new keys. Ask the owner for the fingerprint, not "
            "over this chat. Only if it is the new one: secure-chat trust remove {address} (the file is {path})."
        )
        values = {"address": address, "remembered": remembered, "shown": shown, "path": path}
        raise _NoFurther(problem(text.format(**values), remedy.format(**values)))
    if remembered is not None:
        yield ok(_("Its key is the one remembered, {shown}.").format(shown=shown))


def _judge_chain(address: Address, reached: Resolved, shown: str, ca_file: Path | None) -> Finding:
    try:
        _shake_hands(address, reached, verifying(ca_file)).close()
    except ssl.SSLCertVerificationError as error:
        return warning(
            _("Nothing on this computer vouches for its key {shown} ({why}).").format(
                shown=shown, why=error.verify_message
            ),
            _("Compare that fingerprint with the owner's when the client asks, or use --ca with its ca.pem."),
        )
    return ok(_("A trusted certificate authority vouches for it; its key is {shown}.").format(shown=shown))


def _judge_names(address: Address, facts: CertificateFacts, *, pinned: bool) -> Finding:
    if facts.covers(address.host):
        return ok(_("Its certificate is for {host}.").format(host=address.host))
    text = _("Its certificate is not for {host}, but for {names}.").format(
        host=address.host, names=", ".join(facts.names) or "-"
    )
    remedy = _("Connect to one of these names, or let the owner run: secure-chat certs renew --host {host}")
    # Our client goes by the remembered key; other clients refuse such a certificate.
    level = Level.WARNING if pinned else Level.PROBLEM
    return Finding(level, text, remedy.format(host=address.host))


def _judge_dates(facts: CertificateFacts, now: datetime) -> Finding:
    begin, end = (f"{moment:%Y-%m-%d %H:%M} UTC" for moment in (facts.valid_from, facts.valid_until))
    if now < facts.valid_from:
        return problem(
            _("Its certificate is not valid before {begin}; here it is {now}.").format(
                begin=begin, now=f"{now:%Y-%m-%d %H:%M} UTC"
            ),
            _("Set this computer's clock; if it is right, the server's was wrong when the certificate was made."),
        )
    if now >= facts.valid_until:
        return problem(
            _("Its certificate expired on {end}; here it is {now}.").format(
                end=end, now=f"{now:%Y-%m-%d %H:%M} UTC"
            ),
            _("If this computer's clock is right, let the owner run: secure-chat certs renew"),
        )
    if facts.valid_until - now < ENDS_SOON:
        return warning(
            _("Its certificate ends soon, on {end}.").format(end=end),
            _("Let the owner run secure-chat certs renew; a running server then needs a SIGHUP."),
        )
    return ok(_("Its certificate is valid until {end}.").format(end=end))


def _judge_greeting(tls: ssl.SSLSocket, now: datetime) -> Iterator[Finding]:
    try:
        greeting = ask_greeting(tls)
    except OSError:
        greeting = Greeting()
    if greeting.error is not None:
        text = _("The server sends us away: {text}").format(text=greeting.error)
        raise _NoFurther(problem(text, _("Do what it says, or ask the owner to look at the server's log.")))
    if not greeting.is_irc:
        text = _("It speaks TLS, but does not answer as a chat server (to CAP LS).")
        raise _NoFurther(problem(text, _("Check the port; if it is right, look at the server's log.")))
    methods = greeting.capabilities.get("sasl", "PLAIN").split(",")
    if "sasl" in greeting.capabilities and "PLAIN" in methods:
        yield ok(_("It offers to log in with a password (SASL PLAIN)."))
    else:
        text = _("It is a chat server, but offers no login with a password (SASL PLAIN).")
        yield problem(text, _("It is no Secure Chat server: use an ordinary IRC client with it."))
    yield _judge_clock(greeting, now)


def _judge_clock(greeting: Greeting, now: datetime) -> Finding:
    if greeting.clock is None:
        return ok(
            _("The server tells its clock only after a login: ours was compared with the certificate's dates only.")
        )
    seconds = round(abs(now - greeting.clock).total_seconds())
    if seconds <= CLOCK_TOLERANCE.total_seconds():
        return ok(_("This computer's clock and the server's agree within {seconds} s.").format(seconds=seconds))
    return warning(
        _("This computer's clock and the server's differ by {seconds} s.").format(seconds=seconds),
        _("Set the one that is wrong; times of messages and certificates depend on it."),
    )
