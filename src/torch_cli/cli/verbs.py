"""A command that has commands of its own, such as ``torch task``, and how its help lists them."""

import click

LONGEST_SUMMARY = 1000
"""More characters than a first sentence has: summaries are wrapped, and never cut."""


class Verbs(click.Group):
    """A group whose help shows the whole first sentence of each of its commands."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (name, command.get_short_help_str(LONGEST_SUMMARY))
            for name, command in found
            if command is not None and not command.hidden
        ]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
