"""``torch hook``, for its help. ``__main__`` runs it without click."""

import click


@click.command("hook", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="")
def command(arguments: tuple[str, ...]) -> None:
    """Take the report of an agent program's hook: one event, as JSON on standard input.

    It always ends with 0 and prints nothing, because the agent program waits for it. Without a
    state file it does nothing. 'torch spawn' gives the hooks to its agents, 'torch agent-setup'
    installs them for all.

    \b
    Examples:
      torch hook < event.json
      echo '{"hook_event_name": "Stop", "session_id": "s"}' | torch hook
    """
    from torch_cli.programs.hook import main

    main(list(arguments))
