"""The film as the options ask for it: opened, within their limits, and looked at for colour."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from colorize_media.errors import UnsupportedMedia
from colorize_media.judge.monochrome import may_be_noise
from colorize_media.judge.survey import Survey, samples_for, survey
from colorize_media.options import ColorizeOptions
from colorize_media.video.purposes import with_grid
from colorize_media.video.reader import Reader
from colorize_media.video.samples import sample


def open_video(source: Path, options: ColorizeOptions) -> Reader:
    """The film, or the clip of it that the options name. Raises FileProblems."""
    reader = Reader(source, start=options.start, duration=options.duration, planes=partial(with_grid, options=options))
    geometry = reader.geometry
    if geometry.width * geometry.height > options.max_pixels:
        reader.close()
        raise UnsupportedMedia(
            "the picture is too large",
            path=source,
            why=f"{geometry.width}×{geometry.height} is more than {options.max_pixels:,} pixels",
            hint="raise --max-pixels if you trust the file",
        )
    return reader


def survey_of(reader: Reader) -> Survey | None:
    """Whether the film has colour; None if it is damaged in all places that were looked at."""
    samples = sample(reader, samples_for(reader.duration), may_be_noise)
    return survey(samples) if samples else None
