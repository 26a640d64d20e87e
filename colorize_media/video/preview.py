"""A strip of a film before and after, to judge by before hours of work: the same network, the same smoothing.

Moments evenly spread over the film (or over the part that ``start`` and ``duration`` choose) stand side by side, each as
it is above and coloured below, with its time. Around each moment the film is coloured from a second before to a second
after it (of short films less: half of the film in all), for the smoothing; nothing is encoded. What holds colours longer
than that is missing.
"""

from __future__ import annotations

import dataclasses
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from colorize_media.color.planes import COLORSPACE
from colorize_media.errors import NoPicture, OutputUnwritable
from colorize_media.events import Done, OnEvent, Skipped, Started, ignore
from colorize_media.files.whole import whole_or_absent
from colorize_media.judge.decision import decide_film
from colorize_media.judge.survey import Survey
from colorize_media.network.colorizer import Colorizer
from colorize_media.network.seen import working_shape
from colorize_media.options import ColorizeOptions, what_made_it
from colorize_media.provenance.packet import film_packet
from colorize_media.provenance.record import Record, record_of
from colorize_media.video.encoder import colored_picture
from colorize_media.video.geometry import VideoGeometry
from colorize_media.video.opening import open_video, survey_of
from colorize_media.video.pipeline import color_frames
from colorize_media.video.reader import Frame, Reader

MOMENTS = 6
AROUND = Fraction(1)  # seconds; the smoothing looks back and ahead by less
LEAST_FRAMES = (
    2  # before a moment and after it: else the last moment of a very short film may fall behind its last frame
)
HEIGHT = 240  # pixels of each picture, upright
MOST_WIDTH = 640  # pixels
_GAP = 4  # pixels
_CAPTION = 20  # pixels


def preview_video(
    source: Path, target: Path, colorizer: Colorizer, options: ColorizeOptions, on_event: OnEvent = ignore
) -> Done | Skipped:
    """Write the strip of a film as a PNG; returns and raises as `colorize_video` does."""
    begun = time.monotonic()
    with open_video(source, options) as reader:
        found = survey_of(reader)
        decision = decide_film(found, options)
        if not decision.colorize:
            return Skipped(source, decision.told, decision.what)
        length = reader.duration or Fraction(1)
        frame = 1 / (reader.average_rate or Fraction(25))
    on_event(Started(source, target, "video", None, decision.told, decision.what))
    around = max(min(AROUND, length / (4 * MOMENTS)), frame * LEAST_FRAMES)
    columns = []
    for number in range(MOMENTS):
        moment = _moment(
            source, colorizer, options, found, options.start + length * Fraction(2 * number + 1, 2 * MOMENTS), around
        )
        if moment is not None:
            columns.append(moment)
    if not columns:
        raise NoPicture(
            "no picture for a preview", path=source, why="no moment of it can be decoded", hint="get another copy"
        )
    record = record_of(colorizer, source=source, **what_made_it(options, "video", colorizer.weights_digest))
    _save(_strip(columns), target, record if options.provenance else None)
    seconds = time.monotonic() - begun
    return Done(
        source, target, len(columns), seconds, reason=decision.told, what=decision.what, record=record.as_json()
    )


@dataclasses.dataclass(frozen=True)
class _Moment:
    """``before`` and ``after`` ``(h, w, 3)`` R'G'B', ``time`` in seconds."""

    time: Fraction
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]


class _LastShown:
    """A sink of coloured frames (`pipeline.Sink`) that keeps the one that is on screen at ``wanted`` seconds."""

    frames = 0
    position = Fraction(0)

    def __init__(self, geometry: VideoGeometry, wanted: Fraction) -> None:
        self._geometry, self._wanted = geometry, wanted
        height, width = working_shape(*geometry.upright_size, HEIGHT)
        self._size = (round(min(width * HEIGHT / height, MOST_WIDTH)), HEIGHT)
        self.found: _Moment | None = None

    def write(self, frame: Frame, chroma: NDArray[Any]) -> None:
        """Keep it if it is not too late."""
        time = frame.pts * frame.time_base
        if self.found is None or time <= self._wanted:
            before = self._rgb(frame.source)
            self.found = _Moment(time, before, self._rgb(colored_picture(frame, chroma, self._geometry)))

    def state(self) -> dict[str, NDArray[Any]]:
        """Nothing is gone on with."""
        return {}

    def end_segment(self, state: Any) -> None:
        """A preview has no segments."""

    def _rgb(self, picture: av.VideoFrame) -> NDArray[np.uint8]:
        lying = self._geometry.lying_size(self._size)
        # Said, because FFmpeg takes BT.601 for what says nothing, whatever its size.
        matrix = None if picture.format.is_rgb else COLORSPACE[self._geometry.spec.matrix]
        full = self._geometry.spec.full_range and not picture.format.is_rgb
        rgb: NDArray[Any] = picture.reformat(
            *lying, "rgb24", interpolation="AREA", src_colorspace=matrix, src_color_range="JPEG" if full else None
        ).to_ndarray()
        return self._geometry.upright(rgb)


def _moment(
    source: Path, colorizer: Colorizer, options: ColorizeOptions, found: Survey | None, at: Fraction, around: Fraction
) -> _Moment | None:
    """The film at this time from its beginning; None if there is no frame so late."""
    begin = max(options.start, at - around)
    try:
        with Reader(source, start=begin, duration=at - begin + around) as reader:
            sink = _LastShown(reader.geometry, at - begin)
            color_frames(reader, sink, colorizer, options, found)
    except NoPicture:
        return None
    return dataclasses.replace(sink.found, time=begin + sink.found.time) if sink.found else None


def _strip(moments: list[_Moment]) -> Image.Image:
    """Side by side, before above after, the times below."""
    height, width = moments[0].before.shape[:2]
    strip = Image.new("RGB", (len(moments) * (width + _GAP) - _GAP, 2 * height + _GAP + _CAPTION), "black")
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(_CAPTION - 6)
    for number, moment in enumerate(moments):
        left = number * (width + _GAP)
        strip.paste(Image.fromarray(moment.before), (left, 0))
        strip.paste(Image.fromarray(moment.after), (left, height + _GAP))
        minutes, seconds = divmod(float(moment.time), 60)
        text = f"{int(minutes) // 60:02d}:{int(minutes) % 60:02d}:{seconds:05.2f}"
        draw.text((left + width / 2, 2 * height + _GAP + 2), text, "white", font, anchor="ma")
    return strip


def _save(strip: Image.Image, target: Path, record: Record | None) -> None:
    """With the marks of a coloured photograph, if there is a ``record``."""
    said = PngInfo()
    if record is not None:
        said.add_itxt("Comment", record.sentence)
        said.add_itxt("XML:com.adobe.xmp", film_packet(b"", record).decode())
    try:
        with whole_or_absent(target) as file:
            strip.save(file, "PNG", pnginfo=said)
    except OSError as error:
        raise OutputUnwritable(
            "cannot write the preview",
            path=target,
            why=error.strerror or str(error),
            hint="check the folder and the disk's room",
        ) from error
