"""The command line of the demo agent: ``torch-demo-agent``, ``python -m torch_cli.demo_agent``."""

import argparse
import math
import sys

from torch_cli.demo_agent import VERSION
from torch_cli.demo_agent.model import AFTER_LIMIT, Options
from torch_cli.demo_agent.program import DemoLoop, ProgramSettings

_ABOUT = """\
A small program that behaves like a coding agent, for demos and tests. It calls no model.

Markers in a message make it misbehave:
  DELAY(2.5)                  work for 2.5 seconds
  ANSWER(text)                answer with this text; \\n is a newline
  DIALOG(touch file)          ask before the answer, and run the command if approved
  DIALOGAT(0.2, touch file)   ask 0.2 seconds after the message was submitted
  LIMIT(3pm)                  reach a usage limit
  ERROR(529 overloaded)       end the turn with this error of its API
  RETRY(529 overloaded)       show that it tries again after this error, while it works
  CRASH(7)                    exit with status 7
  SLEEP(2)                    read no input for 2 seconds

A message !COMMAND runs the command at once. /compact reports a compacted context,
/exit quits. SIGUSR1 has it ask for permission, SIGUSR2 end its work.
"""

_TIMES = (
    ("--work", 0.3, "seconds of work on a message (0.3)"),
    ("--dialog-after", None, "seconds from the start until it asks for permission (never)"),
    ("--limit-lifts", math.inf, "how long a usage limit lasts (for ever)"),
    ("--start-delay", 0.0, "seconds before it draws; what is typed before is dropped (0)"),
    ("--frame", 0.0, "the least seconds between two drawings (0: at once)"),
)
_SWITCHES = (
    ("--trust", "ask first whether to trust the directory"),
    ("--keep-early", "keep what is typed before the start"),
    ("--no-bracketed-paste", "do not ask for framed pastes"),
)
_VALUES = (
    ("--dialog-command", "COMMAND", Options().dialog_command, "for --dialog-after and SIGUSR1"),
    ("--lose-submits", "N", 0, "ignore the first N submit keys"),
    ("--log", "FILE", "", "append what happens to FILE, as JSON lines"),
    ("--hook", "COMMAND", "", "run this in a shell at events, with JSON on standard input"),
)


def main() -> int:
    """Run the program; return its exit status."""
    settings = _settings(sys.argv[1:])
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("torch-demo-agent: needs a terminal for its input and output", file=sys.stderr)
        return 2
    return DemoLoop(settings).run()


def _settings(arguments: list[str]) -> ProgramSettings:
    parser = argparse.ArgumentParser(
        "torch-demo-agent", description=_ABOUT, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"torch-demo-agent {VERSION}")
    for name, seconds, about in _TIMES:
        parser.add_argument(name, type=float, default=seconds, metavar="SECONDS", help=about)
    for name, about in _SWITCHES:
        parser.add_argument(name, action="store_true", help=about)
    for name, value, default, about in _VALUES:
        parser.add_argument(name, type=type(default), default=default, metavar=value, help=about)
    usual = AFTER_LIMIT[0]
    about = f"what is left of a limit that was lifted: {', '.join(AFTER_LIMIT)} ({usual})"
    parser.add_argument(
        "--after-limit", choices=AFTER_LIMIT, default=usual, metavar="WHAT", help=about
    )
    given = parser.parse_args(arguments)
    agent = Options(
        work=given.work,
        lose_submits=given.lose_submits,
        trust=given.trust,
        dialog_after=given.dialog_after,
        dialog_command=given.dialog_command,
        limit_lifts=given.limit_lifts,
        after_limit=given.after_limit,
    )
    return ProgramSettings(
        agent=agent,
        start_delay=given.start_delay,
        keep_early=given.keep_early,
        bracketed_paste=not given.no_bracketed_paste,
        frame=given.frame,
        log=given.log,
        hook=given.hook,
    )


if __name__ == "__main__":
    sys.exit(main())
