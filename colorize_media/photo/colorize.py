"""The way of one photograph, in three steps that may run in different threads: prepare, network, finish.

The steps do not know each other's neighbours, so a picture comes out the same alone and in a batch of equal shapes (but
for the last bits of the network's own arithmetic).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from colorize_media.color.light import tint_at, under_light
from colorize_media.color.scaling import product
from colorize_media.color.table import chroma_table
from colorize_media.events import Done, OnEvent, Result, Skipped, Started, Warned, What, ignore
from colorize_media.judge.decision import decide_photo
from colorize_media.judge.negative import NEGATIVE
from colorize_media.judge.tone import as_light, tone_curve
from colorize_media.network.colorizer import Colorizer
from colorize_media.network.seen import lightness_batch, working_luma, working_shape
from colorize_media.options import ColorizeOptions, still_sizes, what_made_it
from colorize_media.photo.join import ChromaRows
from colorize_media.photo.pages import read_pages, write_pages
from colorize_media.photo.picture import Photo
from colorize_media.photo.write import write_photo
from colorize_media.provenance.record import Record, record_of
from colorize_media.provenance.signing import cannot_be_signed, signer_for


@dataclass(frozen=True, eq=False)
class PreparedPhoto:
    """A decoded photograph that is to be coloured.

    ``views`` are its working lumas in codes, float32, one for each size at which the network looks at it, the largest
    first; ``note`` says why it is coloured, ``what`` what it is.
    """

    photo: Photo
    views: tuple[NDArray[np.float32], ...]
    note: str
    what: What

    pages: ClassVar[int] = 1

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the views: pictures with equal ones can go through the network together."""
        return tuple(view.shape for view in self.views)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What could not be kept when reading."""
        return self.photo.warnings


@dataclass(frozen=True)
class PreparedPages:
    """A TIFF file with several pages of which some are to be coloured: they are decoded when they are written."""

    source: Path
    note: str
    pages: int

    what: ClassVar[None] = None  # each may be something else
    warnings: ClassVar[tuple[str, ...]] = ()  # told page by page

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Like nobody else's: it goes alone."""
        return ((id(self),),)


Prepared: TypeAlias = PreparedPhoto | PreparedPages


def colorize_photo(
    source: Path,
    target: Path,
    colorizer: Colorizer,
    options: ColorizeOptions,
    on_event: OnEvent = ignore,
    *,
    named: tuple[Path, Path] | None = None,
) -> Result:
    """Colour one photograph; returns Done, or Skipped if it has colour already (unless ``options.force``).

    The full-resolution luma is the source's own. Raises a FileProblem; then there is no output. ``on_event`` gets Started
    and Warned; telling the result is the caller's. ``named`` (source, target) is what both files are called in events and
    result, where these are copies of what people know.
    """
    begun = time.monotonic()
    names = named or (source, target)
    signer_for(target, options.sign_cert, options.sign_key)  # what cannot be signed is told before any work
    prepared = prepare_photo(source, options)
    if isinstance(prepared, Skipped):
        return replace(prepared, source=names[0])
    on_event(started(prepared, *names))
    for message in prepared.warnings:
        on_event(Warned(names[0], message))
    record = photo_record(colorizer, options, names[0], source)
    if isinstance(prepared, PreparedPages):
        warnings = color_pages(prepared, colorizer, target, options, record)
    else:
        (ab,) = photo_colors([prepared], colorizer, options)
        warnings = finish_photo(prepared, ab, target, options, record)
    for message in warnings:
        on_event(Warned(names[0], message))
    return done(prepared, *names, time.monotonic() - begun, record)


def started(prepared: Prepared, source: Path, target: Path) -> Started:
    """What is told when the network's turn begins."""
    return Started(source, target, "photo", 1, prepared.note, prepared.what)


def done(prepared: Prepared, source: Path, target: Path, seconds: float, record: Record) -> Done:
    """What is told when the output is written."""
    note, what, pages = prepared.note, prepared.what, prepared.pages
    return Done(source, target, 1, seconds, reason=note, what=what, pages=pages, record=record.as_json())


def prepare_photo(source: Path, options: ColorizeOptions) -> Prepared | Skipped:
    """Decode, decide and make the network's input; Skipped for what is left alone. Raises a FileProblem."""
    reasons = []
    for number, photo in enumerate(read_pages(source, max_pixels=options.max_pixels), 1):
        found = prepare_decoded(photo, options)
        if photo.pages == 1:
            return found
        if isinstance(found, PreparedPhoto):
            if options.sign_cert:
                why = "it has several pages, and the signature would stand on an empty one behind them"
                raise cannot_be_signed(source, why, "leave --sign-cert out")
            return PreparedPages(source, f"page {number} of {photo.pages} is {found.note}", photo.pages)
        reasons.append(found.reason)
    return Skipped(source, f"each of its {len(reasons)} pages is left as it is, the first one for: {reasons[0]}")


def prepare_decoded(photo: Photo, options: ColorizeOptions) -> PreparedPhoto | Skipped:
    """The same of a photograph that is decoded already."""
    decision = decide_photo(photo.preview, photo.luma, options)
    if not decision.colorize:
        return Skipped(photo.path, decision.told, decision.what)
    if decision.negative:
        photo = replace(photo, warnings=(*photo.warnings, NEGATIVE))
    height, width = photo.luma.shape
    sizes = (options.working_size,) if options.fast else still_sizes(options.working_size)
    views = tuple(working_luma(photo.luma, working_shape(height, width, size)) for size in sizes)
    return PreparedPhoto(photo, views, decision.told, decision.what)


def color_pages(
    prepared: PreparedPages, colorizer: Colorizer, target: Path, options: ColorizeOptions, record: Record
) -> tuple[str, ...]:
    """Colour a TIFF file's pages one after the other; those to be left alone are copied as they are. Returns warnings."""
    kept = 0

    def color_page(photo: Photo) -> ChromaRows | None:
        nonlocal kept
        page = prepare_decoded(photo, options)
        if isinstance(page, Skipped):
            kept += 1
            return None
        (ab,) = photo_colors([page], colorizer, options)
        return chroma_rows(photo, ab, keep_tint=options.keep_tint)

    warnings = write_pages(
        prepared.source,
        target,
        color_page,
        max_pixels=options.max_pixels,
        provenance=_written_of(record, options),
        strip=options.strip_metadata,
    )
    return (
        (*warnings, f"{kept} of its pages have colour already or are documents, and stay as they are")
        if kept
        else warnings
    )


def photo_colors(batch: Sequence[PreparedPhoto], colorizer: Colorizer, options: ColorizeOptions) -> NDArray[np.float32]:
    """ab ``(B, h, w, 2)`` of photographs whose views have equal shapes; their bit depths may differ."""
    views = [
        torch.cat([lightness_batch([item.views[number]], item.photo.spec) for item in batch])
        for number in range(len(batch[0].views))
    ]
    return colorizer.colors(*views, mirror=not options.fast, vividness=options.vividness, refine=options.refine)


def finish_photo(
    prepared: PreparedPhoto,
    ab: NDArray[np.float32],
    target: Path,
    options: ColorizeOptions,
    record: Record | None = None,
) -> tuple[str, ...]:
    """Enlarge ``ab (h, w, 2)``, join it with the luma and write; returns warnings. Raises as `write_photo`.

    ``record`` is what the file says of its making, as far as the options want it said.
    """
    photo = prepared.photo
    return write_colored(photo, chroma_rows(photo, ab, keep_tint=options.keep_tint), target, options, record)


def write_colored(
    photo: Photo,
    chroma: ChromaRows | NDArray[Any],
    target: Path,
    options: ColorizeOptions,
    record: Record | None = None,
) -> tuple[str, ...]:
    """Write a photograph in the given Cb and Cr (see `write_photo`), as the options ask for; as `finish_photo` else."""
    if options.strip_metadata:
        photo = photo.stripped()
    told = None if record is None else _written_of(record, options)
    signer = None if told is None else signer_for(target, options.sign_cert, options.sign_key)
    return write_photo(photo, chroma, target, quality=options.quality, provenance=told, signer=signer)


def photo_record(colorizer: Colorizer, options: ColorizeOptions, source: Path, content: Path | None = None) -> Record:
    """How a photograph is coloured that is coloured now. ``source`` is what the person calls it, ``content`` what is read."""
    said = what_made_it(options, "photo", colorizer.weights_digest)
    return record_of(colorizer, source=source, content=content, **said)


def _written_of(record: Record, options: ColorizeOptions) -> Record | None:
    """What of it the photograph's own file says."""
    if not options.provenance:
        return None
    return record.anonymous() if options.strip_metadata else record


def chroma_rows(photo: Photo, ab: NDArray[np.float32], *, keep_tint: bool = False) -> ChromaRows:
    """Chroma for `write_photo`, of colours ``ab (h, w, 2)`` on a coarse grid: enlarged, fitted to the luma.

    ``keep_tint``: under the photograph's own tone as a light (`color.light`).
    """
    height, width = photo.luma.shape
    light = as_light(tone_curve(photo.preview, photo.spec.matrix)) if keep_tint else None
    if light is not None:  # the tint itself follows each pixel's own luma
        small = cv2.resize(photo.luma, ab.shape[1::-1], interpolation=cv2.INTER_AREA) / np.float32(photo.spec.max_code)
        tint = tint_at(light, small)
        ab = under_light(ab, small, tint) - tint
    table = chroma_table(photo.spec.matrix)
    wide: list[NDArray[Any]] = [
        cv2.resize(plane, (width, len(ab)), interpolation=cv2.INTER_CUBIC) for plane in cv2.split(ab)
    ]
    weights = cubic_weights(len(ab), height)

    def chroma(top: int, bottom: int) -> NDArray[Any]:
        used = np.flatnonzero(weights[top:bottom].any(axis=0))
        some = slice(int(used[0]), int(used[-1]) + 1)
        a, b = (product(weights[top:bottom, some], plane[some]) for plane in wide)
        if light is not None:
            tint = tint_at(light, photo.luma[top:bottom] / np.float32(photo.spec.max_code))
            a, b = a + tint[..., 0], b + tint[..., 1]
        return table.codes(photo.luma[top:bottom], a, b, photo.spec)

    return chroma


def cubic_weights(rows: int, height: int) -> NDArray[np.float32]:
    """``(height, rows)``: how each row of an enlarged picture is made of the small one's. OpenCV's bicubic (a = −0.75).

    With it a picture is enlarged in strips, which bounds the memory of large photographs; the kernel is Keys' (1981) with
    OpenCV's parameter, so the result equals cv2.resize of the whole. Four of a row's weights are not 0.
    """
    position = (np.arange(height) + 0.5) * (rows / height) - 0.5
    base = np.floor(position).astype(int)
    x = (position - base).astype(np.float32)
    a = np.float32(-0.75)
    near = lambda d: ((a + 2) * d - (a + 3)) * d * d + 1  # noqa: E731 (the two pieces of one kernel, side by side)
    far = lambda d: ((a * d - 5 * a) * d + 8 * a) * d - 4 * a  # noqa: E731
    weights = np.zeros((height, rows), np.float32)
    for offset, weight in ((-1, far(x + 1)), (0, near(x)), (1, near(1 - x)), (2, far(2 - x))):
        weights[np.arange(height), np.clip(base + offset, 0, rows - 1)] += weight
    return weights
