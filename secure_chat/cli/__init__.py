"""The command line: `secure-chat serve`, `connect` and the others. A subcommand is loaded when it is called."""

from __future__ import annotations

import importlib

import click

SUBCOMMANDS = {
    "certs": "Make, renew and show the server's certificates.",
    "connect": "Chat: connect to a server with the terminal client.",
    "doctor": "Examine a server or its home, and say what to do.",
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
        """The subcommand `cmd_name`: the object of that name in its module; None where there is none."""
        if cmd_name not in SUBCOMMANDS:
            return None
        command = getattr(importlib.import_module(f"secure_chat.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(SUBCOMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="secure-chat")
def main() -> None:
    """Secure Chat: a chat server and clients that a small group can own."""
