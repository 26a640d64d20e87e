"""The group that all commands belong to. They import it; it knows none of them."""

from __future__ import annotations

import click

from colorize_media.version import __version__


class DefaultGroup(click.Group):
    """A group whose default command needs no name: ``colorize-media film.mp4``."""

    default = "colorize"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name in front unless a command or the group's own option stands there."""
        own = {"--help", "-h", "--version"}
        if args and args[0] not in self.commands and args[0] not in own:
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The default command's help, then the other commands."""
        command = self.commands[self.default]
        inner = click.Context(command, info_name=ctx.info_name)
        formatter.write_usage(ctx.command_path, "INPUT... [-o OUT]")
        command.format_help_text(inner, formatter)
        command.format_options(inner, formatter)
        others = [(name, command) for name, command in sorted(self.commands.items()) if name != self.default]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(70)) for name, command in others])


@click.group(cls=DefaultGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="colorize-media")
def cli() -> None:
    """Colour for black-and-white photographs, films and archives."""
