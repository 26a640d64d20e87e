"""A folder's numbered frames coloured as one film, and written back as frames (``--image-sequence``).

The film's own loop (`video.pipeline`) has the shots, the network and the smoothing; its frames come from photographs
(`sequence_reader`) and go to photographs (`sequence_writer`), whose readers and writers they keep: luma, depth, metadata.
Where frames of another size or depth begin, another film begins.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from colorize_media.archive.budget import default_budget, memory_needed
from colorize_media.archive.in_flight import InFlight
from colorize_media.archive.outcomes import Outcome, failed
from colorize_media.archive.output_folders import OutputFolders
from colorize_media.archive.running import Running
from colorize_media.archive.sequence_reader import SequenceReader, pictures_of
from colorize_media.archive.sequence_writer import GoneTo, InOrder, Remembered, SequenceWriter
from colorize_media.archive.sequences import gaps
from colorize_media.archive.workers import default_workers
from colorize_media.events import Planned, Resumed, Skipped, Started, Warned
from colorize_media.judge.decision import Decision, decide_film
from colorize_media.judge.survey import Survey, samples_for, survey
from colorize_media.options import ColorizeOptions, what_changed_colors, what_made_it
from colorize_media.provenance.record import Record, record_of
from colorize_media.video.colorize import what_colors_depend_on
from colorize_media.video.pipeline import Limits, color_frames

# In frames: a killed run does the unfinished segment's colours again, but no frame is written twice.
LIMITS = Limits(least_segment=24, most_segment=96)


def color_sequence(
    items: Sequence[Planned],
    running: Running,
    folders: OutputFolders,
    in_flight: InFlight,
    settle: Callable[[Outcome], None],
) -> None:
    """Colour the frames of one sequence, in the order of their numbers; ``settle`` gets an outcome for each.

    A frame that cannot be read fails alone, and is a gap in the film. What has been done is not written again.
    """
    options, told = running.options, InOrder(items, settle)
    path = items[0].source.with_name(items[0].sequence)
    numbers = [item.frame for item in items if item.frame is not None]
    for message in gaps(numbers):
        running.on_event(Warned(path, message))
    assert options.image_sequence is not None
    seconds = Fraction(numbers[-1] - numbers[0] + 1) / options.image_sequence
    pictures = pictures_of(items, options, samples_for(seconds))
    found = survey(pictures) if pictures else None
    decision = decide_film(found, options)
    if not decision.colorize:
        told.give_up(lambda item: Outcome(item, Skipped(item.source, decision.told, decision.what), _stat_of(item)))
        return
    try:
        _color(items, running, found, decision, folders, in_flight, told)
    except Exception as error:  # a bug of ours, or no memory, must not cost the other files
        problem = error
        told.give_up(lambda item: failed(item, problem))


def _color(
    items: Sequence[Planned],
    running: Running,
    found: Survey | None,
    decision: Decision,
    folders: OutputFolders,
    in_flight: InFlight,
    told: InOrder,
) -> None:
    colorizer, options = running.get_colorizer(), running.options
    threads = _threads(items, options, running.workers)
    remembered = Remembered(items, what_colors_depend_on(colorizer, options))
    gone = remembered.read()
    if any(item.action == "colorize" for item in items[: gone.place]):  # what is behind is wanted once more
        gone = GoneTo()

    def record(source: Path) -> Record:
        said = what_made_it(options, "photo", colorizer.weights_digest)
        said["options"] |= what_changed_colors(options, "video")
        return record_of(colorizer, source=source, **said)

    while gone.place < len(items):
        with closing(
            SequenceReader(items, options, in_flight, told.put, start=gone.place, index=gone.given, ahead=threads)
        ) as reader:
            if reader.is_empty:
                break
            if gone.given and gone.size != (reader.geometry.width, reader.geometry.height):
                gone, reader.first_index = GoneTo(gone.place, gone.place), 0
            _tell_begin(items, gone, reader, running, decision)
            writer = SequenceWriter(
                items,
                gone,
                remembered,
                told,
                options=options,
                decision=decision,
                record_of=record,
                folders=folders,
                in_flight=in_flight,
                threads=threads,
            )
            with closing(writer):
                color_frames(reader, writer, colorizer, options, found, limits=LIMITS)
            gone = GoneTo(reader.end, reader.end)
    told.tell()
    remembered.remove()


def _tell_begin(
    items: Sequence[Planned], gone: GoneTo, reader: SequenceReader, running: Running, decision: Decision
) -> None:
    """That a part begins, and why it is one."""
    first = items[gone.place]
    assert first.target is not None
    if gone.place == gone.begin > 0:
        width, height = reader.geometry.width, reader.geometry.height
        what = f"from here on the frames are {width}×{height} of {reader.geometry.spec.bits} bits"
        running.on_event(Warned(first.source, f"{what}: coloured as a film of their own"))
    if gone.given:
        running.on_event(Resumed(reader.path, gone.place, _time(items, gone.place, running.options)))
    running.on_event(Started(first.source, first.target, "photo", 1, decision.told, decision.what))


def _time(items: Sequence[Planned], place: int, options: ColorizeOptions) -> Fraction:
    """Of the frame at this place, in seconds."""
    frames = [item.frame for item in (items[0], items[place]) if item.frame is not None]
    assert options.image_sequence is not None
    return Fraction(frames[-1] - frames[0]) / options.image_sequence


def _threads(items: Sequence[Planned], options: ColorizeOptions, workers: int) -> int:
    """That read, and as many that write: what their frames need at most fits the budget of memory."""
    needed = max(1, memory_needed(items[0].source, options.max_pixels))
    return max(1, min(workers or default_workers(), default_budget() // (4 * needed)))


def _stat_of(item: Planned) -> os.stat_result | None:
    try:
        return item.source.stat()
    except OSError:
        return None
