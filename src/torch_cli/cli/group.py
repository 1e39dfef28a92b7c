"""``torch`` and its commands, each a module in its section's folder, imported when called."""

import importlib
import sys
from typing import Any, NoReturn

import click

from torch_cli import __version__
from torch_cli.cli.options import declare_common
from torch_cli.cli.present import for_a_reader, run, say
from torch_cli.errors import DONE, Interrupted, RefusedError, TorchError

SECTIONS = {
    "agents": (
        "Agents",
        {
            "spawn": "Open a window with an agent program in it, and wait until it is ready.",
            "adopt": "Register an agent in a pane that exists already.",
            "ps": "List the agents.",
            "tree": "Show who answers to whom.",
            "who": "Find agents by skill, role and state.",
            "state": "Show the state of panes, with evidence.",
            "wait": "Wait until a pane is in a state.",
            "mode": "Show or switch the mode of an agent program: plan, manual, …",
            "attach": "Attach this terminal to an agent's window.",
            "rename": "Give an agent another name.",
            "move": "Bring an agent to another session or window.",
            "handoff": "Hand the work of one agent over to another.",
            "retire": "End an agent so that nothing of it is lost.",
            "stop": "Ask an agent program to end.",
        },
    ),
    "messages": (
        "Messages",
        {
            "send": "Deliver a message to an agent, and say what is known of it.",
            "ask": "Send a message, wait until it is answered, and print the answer.",
            "reply": "Answer a message: send to the agent that sent it.",
            "command": "Have an agent program run a command of its own.",
            "broadcast": "Send a message to every agent, or to all of a role.",
            "thread": "Show a message and the answers to it.",
            "receipt": "Show what is known of a message.",
            "inbox": "List the messages to an agent.",
            "outbox": "Show and change what waits to be delivered.",
            "message": "Kinds of messages between agents, and their forms.",
        },
    ),
    "panes": (
        "Panes and windows",
        {
            "window": "Open a window rooted in a directory, and prove it.",
            "run": "Run a command in the shell of a pane.",
            "capture": "Print the last lines that a pane shows.",
            "log": "Log what a pane writes, continuously, as text.",
            "press": "Press keys in a pane, on purpose.",
        },
    ),
    "teams": (
        "Teams",
        {
            "init": "Write a commented torch.toml for a project.",
            "up": "Bring up the team of torch.toml.",
            "down": "End what 'torch up' has started.",
            "trust": "Accept a torch.toml that has changed, for the daemon.",
            "team": "Write a torch.toml of what is running.",
            "config": "Check torch.toml, and print its schema.",
            "agreement": "Check the rules of work that torch.toml names.",
            "briefing": "List, show, render and edit briefings.",
            "ack": "Acknowledge the briefing that you, an agent, were given.",
        },
    ),
    "tasks": (
        "Tasks",
        {
            "task": "Say what is to be done, take it, and show that it is done.",
        },
    ),
    "schedule": (
        "Check-ins and the daemon",
        {
            "checkin": "Have a note sent to an agent later, once or again and again.",
            "daemon": "Run the scheduler: check-ins, what waits in the outbox, checkpoints.",
            "tick": "Do once all that is due: the daemon's work, for cron.",
            "crontab": "Have cron call 'torch tick' every minute.",
        },
    ),
    "checkpoints": (
        "Checkpoints and commits",
        {
            "checkpoint": "Keep what is on disk, off every branch, and bring it back.",
            "recover": "Show what there is to go back to, and go back to one.",
            "commit": "Commit what has changed on the current branch.",
            "branch": "Start a branch for a feature.",
            "tag": "Tag a state that is good.",
        },
    ),
    "machine": (
        "This machine",
        {
            "profile": "List, show, check and draft profiles of agent programs.",
            "agent-setup": "Install hooks and the submit chord for an agent program.",
            "doctor": "Say what stands in the way on this machine.",
            "completion": "Print the completion script of a shell.",
            "hook": "What an agent program's hook calls; JSON on standard input.",
        },
    ),
}
"""The sections of ``torch --help``: the folder of its commands, its heading, and each command."""

_FOLDERS = {name: folder for folder, (_, names) in SECTIONS.items() for name in names}


EPILOG = """\b
Exit codes:
  0  done, delivered          4  accepted, but held or queued
  1  failure                  5  unknown: look before you resend
  2  usage, refused input     6  timed out
  3  no such target           7  no memory or open files left
  130, 143, 129  interrupted, ended by SIGTERM, by SIGHUP

\b
Environment:
  TORCH_TMUX         the tmux program, by name or path (else tmux on the PATH)
  TORCH_TMUX_SOCKET  the tmux server, by name or path (else that of $TMUX)
  TORCH_HOME         the directory of all that Torch keeps
"""


# What click 8.2 and later raise for a group without a command: help, and no fault.
_NO_WORDS = getattr(click.exceptions, "NoArgsIsHelpError", ())


class _Torch(click.Group):
    """The commands, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_FOLDERS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        folder = _FOLDERS.get(cmd_name)
        if folder is None:
            return None
        name = cmd_name.replace("-", "_")
        module = importlib.import_module(f"torch_cli.cli.{folder}.{name}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = not args or args[0] in _FOLDERS or args[0].startswith("-")
        if not known and not ctx.resilient_parsing:  # that is completion, which says nothing
            from difflib import get_close_matches

            near = get_close_matches(args[0], _FOLDERS, 1)
            hint = f"Did you mean 'torch {near[0]}'?" if near else "See 'torch --help'."
            raise RefusedError(f"there is no command '{args[0]}'", hint=hint, code="usage")
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with for_a_reader():
            return super().make_context(*args, **kwargs)
        raise click.exceptions.Exit(DONE)

    def invoke(self, ctx: click.Context) -> Any:
        with for_a_reader():
            return super().invoke(ctx)
        return DONE

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(map(len, _FOLDERS))
        for heading, commands in SECTIONS.values():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(widest), said) for name, said in commands.items()])

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run, and turn every error into words, or with ``--json`` into an object, and a code."""
        kwargs["standalone_mode"] = False
        words = sys.argv[1:]
        options = words[: words.index("--")] if "--" in words else words
        sys.exit(run(lambda: self._call(args, kwargs), as_json="--json" in options))

    def _call(self, args: Any, kwargs: Any) -> int:
        try:
            outcome = super().main(*args, **kwargs)
        except click.exceptions.Exit as ended:
            return ended.exit_code
        except click.Abort as aborted:  # click puts it in the place of what was raised
            cause = aborted.__cause__
            raise cause if isinstance(cause, Interrupted) else KeyboardInterrupt from None
        except click.UsageError as misused:
            if isinstance(misused, _NO_WORDS):
                say(misused.format_message(), err=True)
                return int(misused.exit_code)
            raise _usage(misused) from None
        return outcome if isinstance(outcome, int) else DONE


def _usage(misused: click.UsageError) -> TorchError:
    command = misused.ctx.command_path if misused.ctx else "torch"
    hint = f"See '{command} --help'."
    if _may_be_a_message(misused):
        hint = f"A message that begins with '-' goes behind '--': {command} … -- MESSAGE"
    # click puts what may be chosen on lines of their own.
    words = misused.format_message().replace("\n\t", " ").rstrip(".")
    return RefusedError(words, hint=hint, code="usage")


def _may_be_a_message(misused: click.UsageError) -> bool:
    """Say whether what was taken for an option can have been meant as the text to send."""
    if isinstance(misused, click.MissingParameter):
        return misused.param is not None and misused.param.name == "message"
    names = [param.name for param in misused.ctx.command.params] if misused.ctx else []
    return "message" in names and isinstance(misused, click.NoSuchOption)


@click.group(
    cls=_Torch,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.version_option(__version__, "--version", message="torch %(version)s")
@declare_common
def torch(**common: object) -> None:
    """Run teams of coding agents in tmux.

    The options -L, -S, --json, -q and -v may stand before the command's name or behind it.

    \b
    Examples:
      torch spawn dev --profile claude --dir ~/project
      torch send dev "Run the tests and mend what fails."
      torch state dev
      torch ps
    """
