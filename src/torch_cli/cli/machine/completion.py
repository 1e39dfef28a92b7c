"""``torch completion``."""

import click

from torch_cli.cli.common import Common
from torch_cli.cli.options import common_options
from torch_cli.cli.present import print_json

_ZSH_REGISTER = "    compdef _torch_completion torch\n"
_ZSH_REGISTER_LATE = """\
    # At the first prompt: compinit may be called further down in the start-up file, or nowhere.
    _torch_register() {
        add-zsh-hook -d precmd _torch_register
        (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
        compdef _torch_completion torch
    }
    autoload -Uz add-zsh-hook
    add-zsh-hook precmd _torch_register
"""


@click.command("completion")
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
@common_options
def command(common: Common, shell: str) -> None:
    """Print a shell's completion script: for commands, options, and the present names of agents,
    sessions and windows.

    \b
    Examples:
      echo 'eval "$(torch completion bash)"' >> ~/.bashrc
      echo 'eval "$(torch completion zsh)"' >> ~/.zshrc
      torch completion fish > ~/.config/fish/completions/torch.fish
    """
    from click.shell_completion import get_completion_class

    from torch_cli.cli.group import torch

    kind = get_completion_class(shell)
    assert kind is not None
    completer = kind(torch, {}, "torch", "_TORCH_COMPLETE")
    # Not source(): that asks the bash on the PATH for its version, which may be another bash.
    script = completer.source_template % completer.source_vars()
    if shell == "zsh":
        script = script.replace(_ZSH_REGISTER, _ZSH_REGISTER_LATE)
    if common.json:
        print_json({"schema": "torch.completion/1", "shell": shell, "script": script})
    else:
        click.echo(script)
