"""``torch hook``, for its help. ``__main__`` runs it without click."""

import click


@click.command("hook", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="")
def command(arguments: tuple[str, ...]) -> None:
    """Take the report of an agent program's hook: one event, as JSON on standard input.

    It always ends with 0, because the agent program waits for it. Without a state file it does
    nothing. 'torch spawn' gives the hooks to its agents, 'torch agent-setup' installs them for all.

    It prints nothing, unless the program asks permission for a tool and an accepted rule of its
    team's torch.toml ([[allow]], [[deny]]) answers: then it prints the answer, for the program.

    \b
    Examples:
      torch hook < event.json
      echo '{"hook_event_name": "Stop", "session_id": "s"}' | torch hook
    """
    from torch_cli.programs.hook import main
    from torch_cli.rules.hook import answer

    main(list(arguments), answer)
