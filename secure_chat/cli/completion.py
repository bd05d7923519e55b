"""`secure-chat completion`: the script that makes a shell complete our commands and options (click's own)."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from secure_chat.cli import COMPLETE_VARIABLE, main

PROGRAM = "secure-chat"
SHELLS = ("bash", "fish", "zsh")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands and options.

    \b
    bash:  secure-chat completion bash > ~/.local/share/bash-completion/completions/secure-chat
    zsh:   secure-chat completion zsh > FOLDER/_secure-chat   (FOLDER: one in $fpath)
    fish:  secure-chat completion fish > ~/.config/fish/completions/secure-chat.fish
    """
    script = get_completion_class(shell)
    assert script is not None, shell
    click.echo(script(main, {}, PROGRAM, COMPLETE_VARIABLE).source())
