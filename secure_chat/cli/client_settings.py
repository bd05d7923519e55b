"""Settings for other IRC clients: trust by fingerprint or authority, and a login that makes the account."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any


def client_settings(answer: Mapping[str, Any], name: str) -> list[str]:
    """Complete settings for irssi, WeeChat, Halloy, senpai and Goguma.

    `answer` has `address`, `pin`, `ca`, `sha1` and `network` of the server, and the invitations.
    """
    host, _, port = str(answer["address"]).rpartition(":")
    invitations = answer["invitations"]
    code = str(invitations[0]["link"]).partition("#")[2] if len(invitations) == 1 else "CODE"
    identity = f"{name}/invite={code}"
    lines = [
        "With another IRC client: it needs TLS and SASL PLAIN. The login name below makes the account with the",
        "password you choose, and is a plain login ever after: no setting has to be changed later. In place of",
        "PASSWORD write yours, without spaces"
        + (code == "CODE") * ", in place of CODE what follows the # of the link"
        + ".",
    ]
    if answer["pin"]:
        lines += ["", "Save these lines as secure-chat-ca.pem (the group's certificate authority):", ""]
        lines += str(answer["ca"]).strip().splitlines()
    for client in (_irssi, _weechat, _halloy, _senpai, _goguma):
        lines += ["", *client(answer, host.strip("[]"), port, identity)]
    return lines


def _irssi(answer: Mapping[str, Any], host: str, port: str, identity: str) -> list[str]:
    trust = "-tls_verify"
    note = ""
    if answer["pin"]:
        # Since version 1.4 it verifies by default, and then wants an authority beside the right key.
        trust = f"-notls_verify -tls_pinned_pubkey {_hex_of(str(answer['pin']))}"
        note = " (the fingerprint is the SHA-256 of the server's public key)"
    return [
        f"irssi{note}:",
        f"  /network add -sasl_username {identity} -sasl_password PASSWORD -sasl_mechanism PLAIN secure-chat",
        f"  /server add -auto -tls {trust} -network secure-chat {host} {port}",
        "  /connect secure-chat",
    ]


def _weechat(answer: Mapping[str, Any], host: str, port: str, identity: str) -> list[str]:
    lines = ["WeeChat (before version 4 write -ssl in place of -tls):"]
    if answer["pin"]:
        lines.append('  /set weechat.network.gnutls_ca_user "~/secure-chat-ca.pem"')
    name = identity.partition("/")[0]
    login = f"-nicks={name} -sasl_username={identity} -sasl_password=PASSWORD"
    return [*lines, f"  /server add secure-chat {host}/{port} -tls {login} -autoconnect", "  /connect secure-chat"]


def _halloy(answer: Mapping[str, Any], host: str, port: str, identity: str) -> list[str]:
    lines = [
        "Halloy (config.toml):",
        "  [servers.secure-chat]",
        f'  nickname = "{identity.partition("/")[0]}"',
        f'  server = "{host}"',
        f"  port = {port}",
    ]
    if answer["pin"]:
        lines.append('  root_cert_path = "secure-chat-ca.pem"')
    return [
        *lines,
        "  [servers.secure-chat.sasl.plain]",
        f'  username = "{identity}"',
        '  password = "PASSWORD"',
    ]


def _senpai(answer: Mapping[str, Any], host: str, port: str, identity: str) -> list[str]:
    start = "senpai"
    if answer["pin"]:
        start = "SSL_CERT_FILE=~/secure-chat-ca.pem senpai"
    return [
        f"senpai (~/.config/senpai/senpai.scfg; start it as: {start}):",
        f"  address {host}:{port}" if ":" not in host else f"  address [{host}]:{port}",
        f'  nickname "{identity.partition("/")[0]}"',
        f'  username "{identity}"',
        '  password "PASSWORD"',
    ]


def _goguma(answer: Mapping[str, Any], host: str, port: str, identity: str) -> list[str]:
    lines = [
        "Goguma (Android; make the account with one of the others first, it has no place for the code):",
        f"  server {host}:{port}, nickname {identity.partition('/')[0]}, password PASSWORD",
    ]
    if answer["pin"]:
        lines.append(f"  it shows the SHA-1 of the certificate: {_spaced(str(answer['sha1']))}")
        lines.append("  (that changes when the certificate is renewed, once a year)")
    return lines


def _hex_of(pin: str) -> str:
    """`SHA256:…` in the notation of irssi: bytes in hexadecimal, with colons."""
    digits = pin.removeprefix("SHA256:")
    return _spaced(base64.b64decode(digits + "=" * (-len(digits) % 4)).hex())


def _spaced(digits: str) -> str:
    return ":".join(digits[place : place + 2] for place in range(0, len(digits), 2)).upper()
