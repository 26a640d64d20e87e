"""The group that all commands belong to. They import it; it knows none of them."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import click

from colorize_media.version import __version__


class DefaultGroup(click.Group):
    """A group whose default command needs no name: ``colorize-media film.mp4``."""

    default = "colorize"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name in front unless a command or the group's own option stands there.

        ``help COMMAND`` is ``COMMAND --help``. A word that is nearly a command, and no file, is not taken for an input.
        """
        own = {"--help", "-h", "--version"}
        if args and args[0] == "help" and not Path("help").exists():
            args = [*(word for word in args[1:2] if word in self.commands), "--help"]
        if args:
            self._refuse_misspelled(ctx, args[0])
        args = _alone(args)
        if args and args[0] not in self.commands and args[0] not in own:
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def _refuse_misspelled(self, ctx: click.Context, word: str) -> None:
        names = [name for name, command in self.commands.items() if not command.hidden]
        if word in self.commands or not word.isidentifier() or Path(word).exists():
            return
        if near := get_close_matches(word, names, n=1, cutoff=0.75):
            ctx.fail(f"There is no file and no command {word!r}. Did you mean {near[0]!r}?")

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


def _alone(args: list[str]) -> list[str]:
    """``--report`` takes the next word only if that is the name of a page: it may stand before the inputs."""
    pages = (".html", ".htm")
    followers = [*args[1:], ""]
    end = args.index("--") if "--" in args else len(args)
    return [
        f"{word}=auto" if place < end and word == "--report" and not follower.lower().endswith(pages) else word
        for place, (word, follower) in enumerate(zip(args, followers, strict=True))
    ]


@click.group(cls=DefaultGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="colorize-media")
def cli() -> None:
    """Colour for black-and-white photographs, films and archives."""
