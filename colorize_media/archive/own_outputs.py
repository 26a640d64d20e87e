"""Outputs of this program among the inputs: ``colorize-media *.jpg`` a second time, or after pictures were added.

An input that has the name of another's output is one if it says so itself. What only has such a name may be somebody's
original: then the plan is refused, as an output may never replace an input.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

from colorize_media.archive.naming import Pair
from colorize_media.errors import FileProblem
from colorize_media.files.first_look import kind_of
from colorize_media.options import ColorizeOptions
from colorize_media.provenance.mark import Mark, mark_in_packet, mark_of_film


def without_own_outputs(pairs: Sequence[Pair], options: ColorizeOptions) -> list[Pair]:
    """The same, but for outputs of this program, whose ``made_from`` says of what: they are not coloured again."""
    makers = {os.path.realpath(pair.target): pair for pair in pairs if pair.target is not None}
    found = []
    for pair in pairs:
        if pair.target is None:  # of what cannot be read, or has a name that cannot be
            found.append(pair)
            continue
        maker = makers.get(os.path.realpath(pair.source))
        is_output = maker is not None and maker.source != pair.source and _mark_of(pair, options) is not None
        found.append(dataclasses.replace(pair, target=None, made_from=maker.source) if maker and is_output else pair)
    return found


def _mark_of(pair: Pair, options: ColorizeOptions) -> Mark | None:
    from colorize_media.photo.pages import read_photo
    from colorize_media.video.opening import open_video

    try:
        if kind_of(pair.source) == "photo":
            return mark_in_packet(read_photo(pair.source, max_pixels=options.max_pixels).metadata.xmp)
        with open_video(pair.source, ColorizeOptions(max_pixels=options.max_pixels)) as reader:
            return mark_of_film(pair.source, reader.tags)
    except FileProblem:  # what cannot be read says nothing
        return None
