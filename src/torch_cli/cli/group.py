"""``torch`` and its commands, each a module in a folder of its section, imported when called."""

import importlib
import re
import sys
from typing import Any, NoReturn

import click

from torch_cli import __version__
from torch_cli.cli.options import declare_common
from torch_cli.cli.present import for_a_reader, run, say
from torch_cli.errors import DONE, Interrupted, RefusedError, TorchError

SECTIONS = {
    "agents": (
        "Agents and panes",
        {
            "spawn": "Open a window with an agent program, ready for input.",
            "adopt": "Register an agent in an existing pane.",
            "ps": "List the agents.",
            "tree": "Show the agents, each below its parent.",
            "who": "Find agents by skill, role and state.",
            "state": "Show the state of panes, with evidence.",
            "report": "Report your own state, as a program that no profile can read.",
            "wait": "Wait until a pane is in a state.",
            "mode": "Show or switch an agent program's mode: plan, manual, …",
            "attach": "Attach this terminal to an agent's window.",
            "rename": "Rename an agent.",
            "move": "Move an agent to another session or window.",
            "handoff": "Hand one agent's work over to another.",
            "retire": "End an agent, and keep its note, screen and work.",
            "freeze": "Stop agents for now: messages, check-ins, tasks, restarts.",
            "thaw": "Let frozen agents go on.",
            "hibernate": "End the programs of idle agents until they are needed.",
            "wake": "Start the programs of hibernated agents again.",
            "restart": "Restart an agent, in the same conversation.",
            "resurrect": "Bring back the agents after a crash of tmux or of the machine.",
            "health": "Show how agents have ended, and when they are restarted.",
            "stop": "Ask an agent program to end.",
        },
    ),
    "attention": (
        "Who needs you",
        {
            "status": "Show who needs you, with the command that answers.",
            "top": "Show all agents live, and act on them by keys.",
            "answer": "Answer what an agent asks: all that wait, one after the other.",
            "seen": "Say that you have looked at an agent that has ended its turn.",
            "since": "Sum up what happened while you were away, in twenty lines.",
            "why": "Show how an agent came to the state that it is in.",
            "next": "Bring this terminal to who has waited longest for you.",
            "back": "Return to where this terminal was before 'torch next'.",
            "events": "Show what happened: states, messages, tasks, checkpoints, …",
            "notify": "Try how you are told that an agent needs you.",
            "mute": "Hear nothing of an agent for a time.",
        },
    ),
    "messages": (
        "Messages",
        {
            "send": "Send a message to an agent, with a receipt.",
            "ask": "Send a message, wait for the answer, and print it.",
            "reply": "Answer a message.",
            "command": "Run one of an agent program's own commands.",
            "broadcast": "Send a message to every agent, or to all of a role.",
            "thread": "Show a message and the answers to it.",
            "receipt": "Show what is known about a message.",
            "inbox": "List the messages to an agent.",
            "outbox": "Show and change the messages that wait for delivery.",
            "message": "Show the kinds of messages, and their forms.",
        },
    ),
    "panes": (
        "Agents and panes",
        {
            "window": "Open a window in a directory, and prove that it is there.",
            "run": "Run a command in the shell of a pane.",
            "capture": "Print the last lines of a pane.",
            "log": "Write a pane's output to a log file, as text.",
            "press": "Press keys in a pane, on purpose.",
        },
    ),
    "teams": (
        "Teams and tasks",
        {
            "init": "Write a commented torch.toml for a project.",
            "up": "Start the team of torch.toml.",
            "down": "End what 'torch up' has started.",
            "trust": "Accept a changed torch.toml, for the daemon.",
            "team": "Write a torch.toml of what is running.",
            "config": "Check torch.toml, and print its schema.",
            "agreement": "Check the rules of work that torch.toml names.",
            "briefing": "List, show, render and edit briefings.",
            "ack": "Acknowledge your briefing, as an agent.",
        },
    ),
    "tasks": (
        "Teams and tasks",
        {
            "task": "Share out work as tasks, each with a check.",
        },
    ),
    "schedule": (
        "Check-ins and checkpoints",
        {
            "checkin": "Send a message to an agent later, once or repeatedly.",
            "daemon": "Run the scheduler: check-ins, the outbox, checkpoints, teams.",
            "tick": "Run everything that is due, once: the daemon's work, for cron.",
            "crontab": "Have cron run 'torch tick' every minute.",
        },
    ),
    "checkpoints": (
        "Check-ins and checkpoints",
        {
            "checkpoint": "Save the files of a worktree off every branch; restore them.",
            "recover": "Show what you can go back to, and go back.",
            "commit": "Commit the changes on the current branch.",
            "branch": "Start a branch.",
            "tag": "Tag a stable state.",
        },
    ),
    "machine": (
        "This machine",
        {
            "profile": "List, show, check and draft profiles of agent programs.",
            "agent-setup": "Install hooks and the submit chord for an agent program.",
            "doctor": "Find problems on this machine.",
            "inhibit": "Keep this machine awake while agents are at work.",
            "store": "Delete old rows of the state file.",
            "completion": "Print a shell's completion script.",
            "shell": "Show who needs you in your own tmux: status line and marks.",
            "help": "Show the help of a command.",
            "uninstall": "Take away what Torch has put on this machine.",
            "hook": "Take the report of an agent program's hook, as JSON.",
        },
    ),
}
"""The folders of commands: the section of ``torch --help`` that shows it, and each command.

A section is one folder or two.
"""

DAILY = (
    *("status", "answer", "next", "since", "ps", "spawn", "adopt"),
    *("send", "ask", "capture", "attach", "stop"),
)
"""What ``torch --help`` shows first, in this order, and not again in their sections."""

APART = {"hook": "agent programs", "tick": "cron", "ack": "briefed agents"}
"""Commands that no person types: who does, for the last line of the list."""

_FOLDERS = {name: folder for folder, (_, names) in SECTIONS.items() for name in names}
_SUMMARIES = {name: said for _, names in SECTIONS.values() for name, said in names.items()}


def sections() -> dict[str, list[str]]:
    """Return the commands of each section of ``torch --help``, by its heading."""
    shown: dict[str, list[str]] = {"Every day": list(DAILY)}
    for heading, names in SECTIONS.values():
        others = [name for name in names if name not in DAILY and name not in APART]
        shown.setdefault(heading, []).extend(others)
    return shown


EPILOG = """\b
Exit codes:
  0  done, delivered          4  accepted, but held or queued
  1  failure                  5  unknown: look before you resend
  2  usage, refused input     6  timed out
  3  no such target           7  no memory or open files left
  8  somebody needs you (torch status)
  9  the agent's turn ended with an error of its API (ask, wait)
  10 an agent could not be brought back (torch resurrect)
  130, 143, 129  interrupted, ended by SIGTERM, by SIGHUP

\b
Environment:
  TORCH_TMUX         the tmux program, by name or path (else tmux on the PATH)
  TORCH_TMUX_SOCKET  the tmux server, by name or path (else that of $TMUX)
  TORCH_HOME         the directory of all of Torch's files
"""


# What click 8.2 and later raise for a group without a command. Earlier ones print the help.
_NO_WORDS = getattr(click.exceptions, "NoArgsIsHelpError", ())


_NO_COMMAND = re.compile(r"No such command '(.*?)'", re.IGNORECASE | re.DOTALL)
"""What click says of a verb that a group does not have."""

_NO_ARGUMENT = re.compile(r"Got unexpected extra argument \((\S+)\)$")
"""What click says of one word too many."""


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
        if not known and not ctx.resilient_parsing:  # resilient: completion, which prints nothing
            raise unknown_command(args[0], list(_FOLDERS), "")
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with for_a_reader():
            return super().make_context(*args, **kwargs)
        raise click.exceptions.Exit(DONE)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            say(_daily(ctx), exact=True)
            ctx.exit()
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with for_a_reader():
            return super().invoke(ctx)
        return DONE

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(map(len, _FOLDERS))
        for heading, names in sections().items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(widest), _SUMMARIES[name]) for name in names])
        callers = ", ".join(f"{name} ({caller})" for name, caller in APART.items())
        formatter.write_paragraph()
        formatter.write_text(f"Not for you to type: {callers}.")

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run. Print an error as a sentence, or with ``--json`` as an object; exit with a code."""
        kwargs["standalone_mode"] = False
        words = sys.argv[1:]
        options = words[: words.index("--")] if "--" in words else words
        sys.exit(run(lambda: self._call(args, kwargs), as_json="--json" in options))

    def _call(self, args: Any, kwargs: Any) -> int:
        try:
            outcome = super().main(*args, **kwargs)
        except click.exceptions.Exit as ended:
            return ended.exit_code
        except click.Abort as aborted:  # click replaces the exception with it
            cause = aborted.__cause__
            raise cause if isinstance(cause, Interrupted) else KeyboardInterrupt from None
        except click.UsageError as misused:
            if isinstance(misused, _NO_WORDS):
                say(misused.format_message(), exact=True)
                return DONE
            raise _usage(misused) from None
        return outcome if isinstance(outcome, int) else DONE


def _daily(ctx: click.Context) -> str:
    """Return what ``torch`` alone prints: the commands of every day, and how to see all."""
    formatter = ctx.make_formatter()
    formatter.write_usage(ctx.command_path, "COMMAND [ARGS]...")
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text("Run teams of coding agents in tmux.")
    with formatter.section("Every day"):
        formatter.write_dl([(name, _SUMMARIES[name]) for name in DAILY])
    return (
        f"{formatter.getvalue()}\n"
        "Agents that run in tmux already: torch adopt --all\n"
        "All commands:                    torch help\n"
        "One of them, with examples:      torch help send"
    )


def unknown_command(word: str, known: list[str], group: str) -> RefusedError:
    """Return the refusal of a ``word`` that is none of the ``known`` commands of ``group``.

    ``group`` are the words before it, without ``torch``.
    """
    from torch_cli.cli.meant import meant

    words = " ".join(filter(None, (group, word)))
    path = " ".join(filter(None, ("torch", group)))
    hint = meant(word, known, group) or f"See '{path} --help'."
    return RefusedError(f"unknown command '{words}'; nothing was done", hint=hint, code="usage")


def _usage(misused: click.UsageError) -> TorchError:
    command = misused.ctx.command_path if misused.ctx else "torch"
    if misused.ctx and isinstance(misused.ctx.command, click.Group):
        wrong = _NO_COMMAND.match(misused.message)
        if wrong:
            known = misused.ctx.command.list_commands(misused.ctx)
            return unknown_command(wrong[1], known, command.partition(" ")[2])
    hint = f"See '{command} --help'."
    extra = _NO_ARGUMENT.match(misused.message)
    if extra and _has_option(misused.ctx, "--agent"):
        hint = f"For one agent: {command} --agent {extra[1]}"
    if extra and command in ("torch ps", "torch status", "torch top"):
        hint = f"For one agent: torch state {extra[1]}, or torch why {extra[1]}"
    if _is_message_missing(misused):
        hint = f'Say what to send: {command} TARGET "MESSAGE"; - reads it from standard input.'
    if _may_be_a_message(misused):
        hint = f"Put a message that begins with '-' behind '--': {command} … -- MESSAGE"
    if misused.message.startswith("Got unexpected extra argument") and _takes_message(misused):
        hint = f'Put a message of several words in quotes: {command} … "MESSAGE"'
    # click puts each choice on a line of its own.
    words = misused.format_message().replace("\n\t", " ").rstrip(".")
    words = words.replace("'[MESSAGE]'", "'MESSAGE'")  # it is left out only with a form's fields
    return RefusedError(words[:1].lower() + words[1:], hint=hint, code="usage")


def _has_option(context: click.Context | None, name: str) -> bool:
    return context is not None and any(name in param.opts for param in context.command.params)


def _takes_message(misused: click.UsageError) -> bool:
    return misused.ctx is not None and any(
        param.name == "message" for param in misused.ctx.command.params
    )


def _is_message_missing(misused: click.UsageError) -> bool:
    """Return whether a message is missing."""
    if not isinstance(misused, click.MissingParameter) or misused.param is None:
        return False
    return misused.param.name == "message"


def _may_be_a_message(misused: click.UsageError) -> bool:
    """Return whether the unknown option may have been meant as the message."""
    if isinstance(misused, click.MissingParameter):
        command = (misused.ctx and misused.ctx.info_name) or ""
        behind = sys.argv[sys.argv.index(command) :] if command in sys.argv else []
        short = any(word[:1] == "-" and word[1:2] not in ("", "-", "L", "S") for word in behind)
        return short and _is_message_missing(misused)
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

    The options -L, -S, --json, -q and -v may come before or after the command's name.

    \b
    Examples:
      torch spawn dev --dir ~/project
      torch send dev "Run the tests and fix what fails."
      torch status
      torch help send
    """
