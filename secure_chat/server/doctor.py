"""What is wrong with a home: files, database, certificates, limits. It only reads, and disturbs no server."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import stat
from collections.abc import Generator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from secure_chat.config import Config, load_config
from secure_chat.errors import CertificateError, ConfigError, SecureChatError
from secure_chat.findings import Finding, ok, problem, warning
from secure_chat.server.certificates import (
    CA_KEY,
    FILES,
    LEAF_CERTIFICATE,
    LEAF_KEY,
    RENEW_AHEAD_DAYS,
    command,
    covers,
    describe,
    machine_hosts,
)
from secure_chat.server.foundation import settings_of
from secure_chat.server.home import Home
from secure_chat.server.lock_holder import Holder, holder_of
from secure_chat.server.passwords import load_or_create_pepper
from secure_chat.server.reach import host_of, how_to_cover
from secure_chat.server.store_doctor import Store, examine_store
from secure_chat.server.tls_context import build_server_context

FREE_LEAST_BYTES = 100 * 1024 * 1024
"""Less than this free on the home's disk is a problem."""
FREE_ENOUGH_BYTES = 1024 * 1024 * 1024
SOCKET_PATH_LIMIT_BYTES = 107
"""A Unix socket's path in Linux (unix(7)), without its NUL."""
OWN_DESCRIPTORS = 64
"""What a server needs beside its connections: database, log, sockets, threads' pipes."""
CA_ENDS_SOON = timedelta(days=90)
FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
NETWORK_FILE_SYSTEMS = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "lustre", "nfs", "nfs4", "smb3", "vboxsf"}
)
"""Where the shared memory and the locks of SQLite's WAL do not work, or not safely."""


def examine_home(
    home: Home, certs: Path, config_file: Path | None, *, now: datetime, thorough: bool = False
) -> Iterator[Finding]:
    """The findings, in their order. `now` is this computer's time. Blocks while it reads the database: `thorough`
    reads all of it, which can take minutes.
    """
    try:
        yield from _examine(home, certs, config_file, now, thorough=thorough)
    except OSError as error:
        text = f"{error.filename or home.path} cannot be read ({error.strerror})."
        yield problem(text, "Run this as the server's user.")


def _examine(
    home: Home, certs: Path, config_file: Path | None, now: datetime, *, thorough: bool
) -> Iterator[Finding]:
    if not home.path.is_dir():
        text = f"{home.path} is not there" if not home.path.exists() else f"{home.path} is no folder"
        make = f"secure-chat serve --home {shlex.quote(str(home.path))}"
        yield problem(f"{text}.", f"Name the server's folder with --home, or make a new one: {make}")
        return
    holder = holder_of(home)
    used = f"used by process {holder.process} ({holder.purpose})" if holder else "used by no server"
    yield ok(f"{home.path} is {used}.")
    yield from _judge_files(home, certs)
    yield from _judge_place(home)
    config = yield from _judge_config(home, config_file)
    store = yield from examine_store(home, thorough=thorough)
    yield _judge_pepper(home, store)
    yield _judge_descriptors(config or Config(), store.accounts, holder)
    yield from _judge_certificates(certs, config, now)


def _judge_files(home: Home, certs: Path) -> Iterator[Finding]:
    """Owners and modes."""
    folders = [folder for folder in (home.path, certs) if folder.is_dir()]
    beside = [home.database.with_name(home.database.name + end) for end in ("", "-wal", "-shm")]
    secret = [
        home.pepper,
        home.owner_code,
        home.address,
        home.lock,
        home.socket,
        *beside,
        certs / LEAF_KEY,
        certs / CA_KEY,
    ]
    files = [path for path in secret if path.exists()]
    good = True
    for path in (*folders, *files):
        mode = stat.S_IMODE(path.stat().st_mode)
        if not mode & FOR_OTHERS:
            continue
        good = False
        text = f"Other users may {'look into' if path.is_dir() else 'use'} {path} (mode {mode:04o})."
        wanted = "700" if path.is_dir() else "600"
        # Who may write into the folder may put another server's address there, and the client would follow.
        judge = warning if path.is_dir() and not mode & OTHERS_WRITE else problem
        yield judge(text, f"Close it: chmod {wanted} {shlex.quote(str(path))}")
    owner = home.path.stat().st_uid
    for path in (*folders, *files):
        if path.stat().st_uid != owner:
            good = False
            text = f"{path} belongs to user {path.stat().st_uid}, but {home.path} to user {owner}."
            yield problem(text, f"Give it to the server's user: chown {owner} {shlex.quote(str(path))}")
    if os.geteuid() not in (owner, 0):
        good = False
        yield problem(
            f"{home.path} belongs to user {owner}, and this is user {os.geteuid()}.", "Run this as that user."
        )
    if good:
        yield ok("Folders and secret files are their owner's alone.")


def _judge_place(home: Home) -> Iterator[Finding]:
    """The disk and the path."""
    free = shutil.disk_usage(home.path).free
    text = f"{free // 2**20:,} MiB are free on the disk of {home.path}"
    remedy = "Make room, or move the home to a larger disk; without room nothing can be said in the chat."
    if free < FREE_LEAST_BYTES:
        yield problem(f"{text}; the least is {FREE_LEAST_BYTES // 2**20} MiB.", remedy)
    elif free < FREE_ENOUGH_BYTES:
        yield warning(f"{text}; {FREE_ENOUGH_BYTES // 2**20:,} MiB would be good.", remedy)
    else:
        yield ok(f"{text}.")
    kind = file_system_of(home.path, _mounts())
    if kind in NETWORK_FILE_SYSTEMS:
        text = f"{home.path} is on a network file system ({kind}), where SQLite's WAL mode does not work safely."
        yield problem(text, "Move the home to a local disk.")
    elif kind:
        yield ok(f"Its file system ({kind}) is a local one, as SQLite's WAL mode needs.")
    if len(os.fsencode(home.socket)) > SOCKET_PATH_LIMIT_BYTES:
        text = f"The path {home.socket} is longer than {SOCKET_PATH_LIMIT_BYTES} bytes, the most for a Unix socket."
        yield problem(text, "Move the home to a folder with a shorter path.")


def _mounts() -> str:
    try:
        return Path("/proc/self/mountinfo").read_text(errors="replace")
    except OSError:
        return ""


def file_system_of(path: Path, mounts: str) -> str:
    """The kind of the file system of `path`, by the text of /proc/self/mountinfo (proc(5)); "" if unknown."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        before, _dash, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        point = Path(fields[4].encode().decode("unicode_escape"))
        if path.resolve().is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split()[0]
    return kind


def _judge_config(home: Home, config_file: Path | None) -> Generator[Finding, None, Config | None]:
    """Gives the configuration, None where it cannot be used, through the value of the generator."""
    path = config_file or home.config
    try:
        config = load_config(path, must_exist=config_file is not None)
        settings_of(config)
    except ConfigError as error:
        yield of_error(error, "Correct that; docs/configuration.md lists what is allowed.")
        return None
    yield ok(f"{path} is valid." if path.exists() else f"There is no {path}: all settings have their defaults.")
    for text in config.warnings():
        yield warning(text, f"If that is not meant, change it in {path}.")
    return config


def of_error(error: SecureChatError, otherwise: str) -> Finding:
    """The problem in an error: its first sentence, and what it says to do, or `otherwise`."""
    text, _end, remedy = str(error).partition(". ")
    return problem(text.rstrip(".") + ".", remedy or otherwise)


def _judge_pepper(home: Home, store: Store) -> Finding:
    if not home.pepper.exists() and not store.accounts:
        return ok("There is no pepper yet, and no account: the first start makes it.")
    try:
        # With accounts it makes no file; where it is there it is only read.
        load_or_create_pepper(home.pepper, store.pepper_check, accounts_present=True)
    except ConfigError as error:
        return of_error(error, "Restore it from a backup.")
    if store.pepper_check is None:
        return ok("The pepper is there; the database has nothing to compare it with.")
    return ok("The pepper is this database's.")


def _judge_descriptors(config: Config, accounts: int, holder: Holder | None) -> Finding:
    limit = _limit_of(holder)
    handshakes = config.limits.handshakes_connections + OWN_DESCRIPTORS
    least = handshakes + accounts
    most = handshakes + accounts * config.limits.account_sessions
    text = f"{limit} files and connections may be open at once (ulimit -n)"
    remedy = f"Raise it to {most}: ulimit -n {most} before the start, or LimitNOFILE={most} in a systemd unit."
    if limit < least:
        return problem(f"{text}; {accounts} accounts and the handshakes need {least}.", remedy)
    if limit < most:
        return warning(f"{text}; with all sessions of {accounts} accounts it would be {most}.", remedy)
    return ok(f"{text}, and {most} are enough.")


def _limit_of(holder: Holder | None) -> int:
    """The soft limit of the running server, or else that of this process, which a server would inherit."""
    try:
        if holder is not None:
            limits = resource.prlimit(holder.process, resource.RLIMIT_NOFILE)
        else:
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    except OSError:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limits[0] if limits[0] != resource.RLIM_INFINITY else 2**31


def _judge_certificates(certs: Path, config: Config | None, now: datetime) -> Iterator[Finding]:
    if not (certs / LEAF_CERTIFICATE).exists() and not (certs / LEAF_KEY).exists():
        yield ok(f"There is no certificate in {certs} yet: the first start makes it.")
        return
    try:
        build_server_context(certs / LEAF_CERTIFICATE, certs / LEAF_KEY, now)
        found = describe(certs)
        yield ok(
            f"Certificate and key in {certs} belong together and serve TLS until {found.valid_until:%Y-%m-%d}."
        )
        ours = all((certs / name).exists() for name in FILES)
        if found.valid_until - now < timedelta(days=RENEW_AHEAD_DAYS):
            text = f"The certificate ends soon, on {found.valid_until:%Y-%m-%d %H:%M} UTC."
            renew = f"Run {command('renew', certs)}; a running server does so itself, or its log says why not."
            yield warning(
                text, renew if ours else "Get it renewed where it came from, then send the server SIGHUP."
            )
        if found.ca_valid_until is not None and found.ca_valid_until - now < CA_ENDS_SOON:
            text = f"The certificate authority in {certs} ends on {found.ca_valid_until:%Y-%m-%d}."
            yield warning(text, f"Make a new set with {command('create', certs, ' --force')} and hand it out.")
        yield from _judge_names(certs, config, ours=ours)
    except CertificateError as error:
        yield of_error(error, "Put a certificate and its key there.")


def _judge_names(certs: Path, config: Config | None, *, ours: bool) -> Iterator[Finding]:
    host = host_of(config.server.public_address) if config else ""
    wanted = [host] if host else []
    if ours:
        wanted += [str(host) for host in machine_hosts()]
    missing = [name for name in dict.fromkeys(wanted) if not covers(certs / LEAF_CERTIFICATE, name)]
    if missing:
        text = f"The certificate is not for {', '.join(missing)}."
        remedy = f"For who connects by that: {how_to_cover(certs, missing)}."
        yield (problem if host in missing else warning)(text, remedy)
    elif wanted:
        yield ok(
            "The certificate is for the names and addresses of this computer." if ours else f"It is for {host}."
        )
