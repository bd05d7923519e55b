"""`secure-chat serve`."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click

from secure_chat.errors import SecureChatError

DEFAULT_PORT = 6697
SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `[IPV6]:PORT`, `:PORT` or `HOST`; host "" is every address."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        port_text = rest.removeprefix(":")
        if not bracket or (rest and not rest.startswith(":")):
            raise click.BadParameter(f"{text}: an IPv6 address is written [ADDRESS]:PORT")
    else:
        host, _, port_text = text.partition(":")
    if port_text and not (port_text.isascii() and port_text.isdigit() and int(port_text) < 65_536):
        message = f"{text}: the port must be a number up to 65535, as in 127.0.0.1:{DEFAULT_PORT}"
        raise click.BadParameter(message)
    return ("" if host == "*" else host), int(port_text or DEFAULT_PORT)


@click.command()
@click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="Folder that holds everything of this server."
)
@click.option(
    "--listen",
    "listen",
    multiple=True,
    metavar="HOST:PORT",
    help=f"Where to listen; may be repeated. Default: every address, port {DEFAULT_PORT}.",
)
@click.option(
    "--certs",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the certificate; made where it is missing. Default: certs in the home.",
)
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Default: config.toml in the home.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Default: as in the configuration.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="The same.")
def serve(
    home: Path | None,
    listen: tuple[str, ...],
    certs: Path | None,
    config_file: Path | None,
    log_format: str | None,
    log_level: str | None,
) -> None:
    """Run the server until SIGTERM, Ctrl-C or the end of its terminal. SIGHUP reads the certificate again."""
    from secure_chat.server.home import Home, HomeLock, default_home

    addresses = [parse_address(text) for text in listen] or [("", DEFAULT_PORT)]
    place = Home(home or default_home())
    try:
        place.make()
        lock = HomeLock(place, purpose="secure-chat serve")
        try:
            _serve(place, certs or place.certs, config_file, addresses, (log_format, log_level))
        finally:
            lock.release()
    except SecureChatError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"{error.filename or ''}: {error.strerror or error}".removeprefix(": ")
        ) from error


def _serve(
    home: object,
    certs: Path,
    config_file: Path | None,
    addresses: list[tuple[str, int]],
    log_options: tuple[str | None, str | None],
) -> None:
    from secure_chat.commands.startup import ensure_lobby, forget_codes, set_reach
    from secure_chat.server import logs
    from secure_chat.server.app import Server
    from secure_chat.server.foundation import open_foundation
    from secure_chat.server.home import Home
    from secure_chat.server.local import announce, withdraw
    from secure_chat.server.owner_code import make_owner_code
    from secure_chat.server.reach import host_of
    from secure_chat.server.ready import ensure_certificates, ready_text

    assert isinstance(home, Home)
    _hold_signals()
    foundation = open_foundation(home, config_file)
    try:
        section = foundation.config.log
        logs.set_up(log_options[0] or section.format, log_options[1] or section.level)
        log = logging.getLogger("secure_chat.server")
        log.info("start", extra={"facts": {"home": home.path, "process": os.getpid()}})
        logs.flush()
        for notice in ensure_certificates(certs, host_of(foundation.config.server.public_address)):
            click.echo(notice)
        foundation.engine.run_once(ensure_lobby)
        foundation.engine.run_once(forget_codes)
        server = Server(home, foundation, certs, addresses)
        for warning in (*foundation.config.warnings(), *server.context.warnings):
            log.warning("%s", warning)
        foundation.engine.run_once(lambda ctx: set_reach(ctx, server.reach()))
        owner = make_owner_code(foundation.engine, home, at_terminal=sys.stdout.isatty())
        foundation.engine.forgetting.begin()
        server.start()
        announce(home, server)
        logs.flush()
        click.echo(ready_text(server, owner))
        log.info("ready")
        _wait_for_end(server.reload)
        withdraw(home)
        server.stop()
        log.info("stopped")
    finally:
        foundation.close()


def _has_terminal() -> bool:
    """Whether this process belongs to a terminal that is there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _hold_signals() -> None:
    """From here on, in this thread and all it starts, these signals wait until they are asked for.

    (A handler runs in the main thread only when that wakes up, and the system may give a signal to any thread.)
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _wait_for_end(reload: Callable[[], object]) -> None:
    """Until SIGTERM or SIGINT; SIGHUP calls `reload`. A second SIGTERM or SIGINT ends the process at once.

    A terminal that is closed sends SIGHUP, too: who closes the window in which the server runs ends it.
    """
    at_terminal = _has_terminal()
    while signal.sigwait(SIGNALS) == signal.SIGHUP:
        if at_terminal and not _has_terminal():
            break
        reload()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os._exit(128 + number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
