"""`secure-chat serve`."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path

import click

from secure_chat.errors import SecureChatError

DEFAULT_PORT = 6697


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
    """Run the server until SIGTERM or Ctrl-C. SIGHUP reads the certificate again."""
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
        raise click.ClickException(_explain(error, addresses)) from error


def _serve(
    home: object,
    certs: Path,
    config_file: Path | None,
    addresses: list[tuple[str, int]],
    log_options: tuple[str | None, str | None],
) -> None:
    from secure_chat.server import logs
    from secure_chat.server.app import Server
    from secure_chat.server.foundation import open_foundation
    from secure_chat.server.home import Home
    from secure_chat.server.ready import ensure_certificates, ready_text

    assert isinstance(home, Home)
    foundation = open_foundation(home, config_file)
    try:
        section = foundation.config.log
        logs.set_up(log_options[0] or section.format, log_options[1] or section.level)
        log = logging.getLogger("secure_chat.server")
        log.info("start", extra={"facts": {"home": home.path, "process": os.getpid()}})
        for notice in ensure_certificates(certs):
            click.echo(notice)
        server = Server(home, foundation, certs, addresses)
        for warning in (*foundation.config.warnings(), *server.context.warnings):
            log.warning("%s", warning)
        server.start()
        click.echo(ready_text(server, foundation, home))
        log.info("ready")
        _wait_for_signal(server.reload)
        server.stop()
        log.info("stopped")
    finally:
        foundation.close()


def _wait_for_signal(reload: object) -> None:
    """Until SIGTERM or SIGINT; a second one ends the process at once. SIGHUP calls `reload`."""
    ending, reloading = threading.Event(), threading.Event()
    woken = threading.Event()

    def end(number: int, _frame: object) -> None:
        if ending.is_set():
            os._exit(128 + number)
        ending.set()
        woken.set()

    def hang_up(_number: int, _frame: object) -> None:
        reloading.set()
        woken.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, hang_up)
    while not ending.is_set():
        woken.wait()
        woken.clear()
        if reloading.is_set():
            reloading.clear()
            assert callable(reload)
            reload()


def _explain(error: OSError, addresses: list[tuple[str, int]]) -> str:
    shown = ", ".join(f"{host or '*'}:{port}" for host, port in addresses)
    if error.errno == 98:
        return f"{shown}: the port is in use by another program; choose another with --listen HOST:PORT"
    if error.errno == 13:
        return f"{shown}: not allowed ({error.strerror}); ports below 1024 are for root"
    return f"{shown}: {error.strerror or error}"
