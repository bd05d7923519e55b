"""The command line: `secure-chat serve`, `connect` and the others. A subcommand is loaded when it is called."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import os
import sys
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

COMPLETE_VARIABLE = "_SECURE_CHAT_COMPLETE"
"""Set by the completion scripts, whatever the file of the program is called."""
CLIENT_COMMANDS = frozenset({"completion", "connect", "doctor", "trust"})
"""They run without the server's packages (`doctor` but for a home)."""
SERVER_MODULES = frozenset({"apsw", "bcrypt", "cryptography", "fcntl", "msgspec", "resource", "zxcvbn"})
"""What only the server needs: not in the single-file client, and partly not on Windows."""

SUBCOMMANDS = {
    "audit": "Show what administrators did.",
    "backup": "Put all that a server keeps into one file.",
    "certs": "Make, renew and show the server's certificates.",
    "check": "Read everything in a server's home, and say what is wrong.",
    "completion": "Print what makes a shell complete commands and options.",
    "connect": "Chat: connect to a server with the terminal client.",
    "device": "List, add and revoke the devices of an account.",
    "doctor": "Examine a server or its home, and say what to do.",
    "export": "Write out the history of a room, or what somebody may read.",
    "invite": "Invite people; list and revoke invitations.",
    "restore": "Make a server's home out of a backup.",
    "serve": "Run the server.",
    "trust": "List and remove the servers whose keys the client remembers.",
    "user": "Add, list, disable and remove accounts.",
}


class LazyGroup(click.Group):
    """A group that imports `secure_chat.cli.NAME` when NAME is used, so that `--help` and the client start fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names of the subcommands, sorted."""
        return sorted(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The subcommand `cmd_name`: the object of that name in its module; None where there is none.

        Where the server's packages are missing, its commands only say so.
        """
        if cmd_name not in SUBCOMMANDS:
            return None
        if cmd_name not in CLIENT_COMMANDS and (missing := _missing_module()) is not None:
            return _without_server(cmd_name, missing)
        command = getattr(importlib.import_module(f"secure_chat.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; what the server's packages are missing for is said, not traced."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in SERVER_MODULES:
                raise
            _refuse(str(ctx.invoked_subcommand), str(error.name))

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the program; see `click.Command.main`. A disk that is full is said, not traced."""
        options.setdefault("complete_var", COMPLETE_VARIABLE)
        try:
            return super().main(*args, **options)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            click.echo(f"Error: Could not write: {error.strerror}. What was done before stays done.", err=True)
            # What could not be printed is given up: at the exit Python would try it again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(1)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the subcommands without importing them, and the options."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        return [
            *(CompletionItem(name, help=SUBCOMMANDS[name]) for name in names),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(SUBCOMMANDS.items()))


def _missing_module() -> str | None:
    """A module that the server needs and that is not here, None where all are."""
    return next((name for name in sorted(SERVER_MODULES) if importlib.util.find_spec(name) is None), None)


def _refuse(name: str, missing: str) -> NoReturn:
    message = (
        f"“secure-chat {name}” needs the server, and this is the client alone ({missing} is missing). "
        "The server runs on Linux: use scripts/serve in a checkout of Secure Chat, or install its wheel with "
        "pip install 'WHEEL[server]'"
    )
    raise click.ClickException(message) from None


def _without_server(name: str, missing: str) -> click.Command:
    return click.Command(
        name,
        callback=lambda: _refuse(name, missing),
        help=SUBCOMMANDS[name],
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="secure-chat")
def main() -> None:
    """Secure Chat: a chat server and clients that a small group can own."""
