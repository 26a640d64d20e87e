"""What commands share of their words: the kinds of values, options that read the environment, the options of a colouring job.

An option of a colouring job is added here as a line of COLORIZE_OPTIONS, and in options.py as a field of the same name with
what it changes; then every command, host program and config file has it. An option of one command stands in that command's
module, made with `option`, so that the environment and the config file give it too.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import click

from colorize_media.options import AUDIO_FORMS, ENGINES, PURPOSES, SMOOTHING, ColorizeOptions

F = TypeVar("F", bound=Callable[..., Any])
DEFAULTS = ColorizeOptions()


class _Path(click.Path):
    """Of a file or folder; whether it is there is checked by the job, which can go on with the other inputs."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Raises click's usage error for an empty name, which to the system is the current folder."""
        if value == "":
            self.fail("the name is empty: is a variable not set?", param, ctx)
        return super().convert(value, param, ctx)


PATH = _Path(path_type=Path)


class Seconds(click.ParamType):
    """Seconds, or [HH:]MM:SS[.fff], as an exact number."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """Raises click's usage error for anything else."""
        if isinstance(value, Fraction):
            return value
        if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", str(value), re.ASCII):
            self.fail(f"{value!r} is no time: give seconds, MM:SS or HH:MM:SS", param, ctx)
        seconds = Fraction(0)
        for part in str(value).split(":"):
            seconds = 60 * seconds + Fraction(part.rstrip("."))
        return seconds


class Rate(click.ParamType):
    """Frames a second as an exact number: 24, 23.976 or 24000/1001."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """Raises click's usage error for anything else."""
        if isinstance(value, Fraction):
            return value
        if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{0,6}|/0*[1-9][0-9]{0,6})?", str(value)):
            self.fail(f"{value!r} is no rate: give frames a second, like 24 or 24000/1001", param, ctx)
        return Fraction(str(value).rstrip("."))


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """A click option that also reads ``COLORIZE_MEDIA_<NAME>``."""
    long = next(name for name in names if name.startswith("--"))
    envvar = "COLORIZE_MEDIA_" + long.lstrip("-").split("/")[0].replace("-", "_").upper()
    return click.option(*names, envvar=envvar, **settings)


def several(options: list[Callable[[Any], Any]]) -> Callable[[F], F]:
    """Several options as one decorator."""

    def decorate(function: F) -> F:
        for add in reversed(options):
            function = add(function)
        return function

    return decorate


def take_options(words: dict[str, Any]) -> ColorizeOptions:
    """The options of the colouring, taken out of a command's words; those that the command has not keep their defaults."""
    names = [field.name for field in dataclasses.fields(ColorizeOptions) if field.name in words]
    return ColorizeOptions(**{name: words.pop(name) for name in names})


device_option = option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
threads_option = option(
    "--threads", type=click.IntRange(0, 1024), default=0, help="CPU threads; 0 is PyTorch's choice."
)

skip_documents_option = option(
    "--skip-documents", is_flag=True, help="Leave photographed text and line drawings alone."
)
SELECTION_OPTIONS = [
    option("--include", multiple=True, metavar="GLOB", help="In folders, only files whose name (with a slash: path) fits."),
    option("--exclude", multiple=True, metavar="GLOB", help="In folders, nothing that fits. Both may be given several times."),
]  # fmt: skip

COLORIZE_OPTIONS = [
    option("-o", "--output", type=PATH, help="Output file or folder; default: beside the input, as NAME.color.EXT."),
    option("-y", "--overwrite", is_flag=True, help="Replace outputs that are already there."),
    option("-n", "--dry-run", is_flag=True, help="Look at every file, show what would be done with it, and do nothing."),
    option("--quick", is_flag=True, help="With -n: look into no file; what has colour already is listed with the others then."),
    option("--force", is_flag=True, help="Colour inputs, and shots of films, that already have colour."),
    skip_documents_option,
    *SELECTION_OPTIONS,
    option("--report", is_flag=False, flag_value="auto", default=None, metavar="[=PATH.html]",
           help="Write a page that shows what came of every file, before and after, and the same as JSON beside it."),
    option("--strict", is_flag=True, help="Exit with 1, not 4, if nothing failed but what had failed before and is unchanged."),
    option("--retry-failed", is_flag=True, help="Try again what failed in an earlier run and has not changed."),
    option("--redo-older", is_flag=True, help="Do again what older weights, or an older version of this program, have made."),
    option("--model", default=DEFAULTS.model, show_default=True, help="A shipped model, a weights file or a run folder."),
    device_option,
    option("--engine", type=click.Choice(ENGINES), default=DEFAULTS.engine, show_default=True,
           help="What computes the network; openvino is for CPUs and an extra."),
    option("--vividness", type=float, default=DEFAULTS.vividness, show_default=True, help="0 is grey, 2 the most colour."),
    option("--refine", type=float, default=None, metavar="STRENGTH",
           help="How much neighbours agree on a colour, 0 (off) to 10; default: as the model says."),
    option("--keep-tint", is_flag=True,
           help="Keep a film's tint (amber nights, blue mornings) or a photograph's tone as a light over the colours."),
    option("--smoothing", type=click.Choice(SMOOTHING), default=DEFAULTS.smoothing, show_default=True,
           help="Steady colours over time in films."),
    option("--every", type=int, default=DEFAULTS.every, show_default=True, metavar="N",
           help="The network sees every Nth frame of a film; between them colours follow the motion."),
    option("--working-size", type=int, default=DEFAULTS.working_size, show_default=True,
           help="Short side, in pixels, of what the network sees."),
    option("--fast", is_flag=True,
           help="Look at a photograph once, not at two sizes and mirrored: a quarter of the network's time."),
    option("--batch-size", type=int, default=DEFAULTS.batch_size, help="Frames per pass; 0 lets the device decide."),
    option("--start", type=Seconds(), default=DEFAULTS.start, metavar="TIME",
           help="Of films: begin here; seconds or [HH:]MM:SS[.fff]."),
    option("--duration", type=Seconds(), default=None, metavar="TIME", help="Of films: only so much."),
    option("--image-sequence", type=Rate(), default=None, metavar="RATE",
           help="Numbered pictures are frames of a film, so many a second (24, 24000/1001): keep them steady."),
    option("--preview", is_flag=True, help="Of films: only a strip of frames before and after, as a picture."),
    option("--quality", type=int, default=DEFAULTS.quality, show_default=True, help="Of JPEG and WebP photographs, 1 to 100."),
    option("--for", "purpose", type=click.Choice(PURPOSES), default=None,
           help="What a film is made for: FFV1 in .mkv, ProRes 422 HQ in .mov, or H.264 in .mp4."),
    option("--encoder", default=DEFAULTS.encoder, help="FFmpeg's name of the video encoder; default by container and depth."),
    option("--crf", type=int, default=None, help="Constant quality of the video encoder; smaller is better."),
    option("--encoder-option", multiple=True, metavar="KEY=VALUE",
           help="An option of the video encoder's own; may be given several times."),
    option("--chroma-only", is_flag=True,
           help="Of films: the colours alone, without loss, to lay over the original in a grading suite."),
    option("--preset", default=DEFAULTS.preset, help="Speed preset of the video encoder."),
    option("--audio", type=click.Choice(AUDIO_FORMS), default=DEFAULTS.audio, show_default=True,
           help="Form of a film's sound that the output cannot hold as it is; opus loses a little, and suits .webm."),
    option("--drop-streams", is_flag=True,
           help="Colour a film even if the output cannot hold its sound or another stream; it is left out and named."),
    option("--provenance/--no-provenance", default=DEFAULTS.provenance, show_default=True,
           help="Write into photographs and films that they were coloured: by what, when, from which file."),
    option("--sign-cert", default=DEFAULTS.sign_cert, metavar="PEM",
           help="Sign photographs, MP4 and MOV (C2PA, an extra) with this certificate and its chain."),
    option("--sign-key", default=DEFAULTS.sign_key, metavar="PEM",
           help="Its private key; a passphrase is read from COLORIZE_MEDIA_SIGN_PASSPHRASE."),
    option("--sidecars/--no-sidecars", default=DEFAULTS.sidecars, show_default=True,
           help="Copy what other programs keep beside an input (.xmp, .srt, Takeout's .json ...) beside its output."),
    option("--strip-metadata", is_flag=True, help="Leave a photograph's EXIF, GPS, XMP, IPTC and texts out, not its profile."),
    option("--max-pixels", type=int, default=DEFAULTS.max_pixels, help="Refuse larger pictures."),
    threads_option,
    option("-q", "--quiet", is_flag=True, help="Only errors and warnings."),
    option("-v", "--verbose", count=True, help="More; -vv shows tracebacks."),
    option("--json", "json_lines", is_flag=True, help="JSON lines on standard output: plan, events, summary."),
    option("--config", type=PATH, help="Config file (TOML); default: config.toml in the user's config folder."),
    # Of the command line alone: set for good, it would take the plain command away.
    click.option("--host-batch", is_flag=True, help="For host programs: pictures as JSON lines on standard input."),
]  # fmt: skip
