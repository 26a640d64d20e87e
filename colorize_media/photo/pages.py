"""Files of one picture or of several pages: read one by one, and written page by page.

Only TIFF files have pages. Where their directories are is found in metadata/tiff_pages.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from colorize_media.errors import DamagedMedia, UnsupportedMedia
from colorize_media.metadata.tiff import PLAIN_TAGS
from colorize_media.metadata.tiff_pages import TiffPages, pages_of
from colorize_media.photo.camera_raw import is_camera_raw
from colorize_media.photo.encode import append_page, set_link
from colorize_media.photo.join import ChromaRows
from colorize_media.photo.picture import Photo
from colorize_media.photo.read import photo_of, read_file
from colorize_media.photo.refusals import damaged, unsupported
from colorize_media.photo.write import encoder_for, metadata_out, refuse_original, whole_or_told
from colorize_media.provenance.record import Record

_LEFT_OUT = "the reduced copies and masks inside the file are not carried over"


def read_photo(path: Path, *, max_pixels: int) -> Photo:
    """Decode one photograph; of a TIFF file with several pages, the first.

    Raises InputMissing, InputUnreadable, EmptyFile, NoPicture, DamagedMedia, UnsupportedMedia, LibraryMissing.
    ``max_pixels`` is checked against the header, before anything is decoded. No Python warning and no file descriptor is
    left behind.
    """
    return next(read_pages(path, max_pixels=max_pixels))


def read_pages(path: Path, *, max_pixels: int) -> Iterator[Photo]:
    """Decode a photograph, page by page where it is a TIFF file with several. Raises as `read_photo`."""
    yield from pages_of_file(path, read_file(path, max_pixels), max_pixels)


def pages_of_file(path: Path, data: bytes, max_pixels: int) -> Iterator[Photo]:
    """The same of its content, ``data``."""
    pages = _pages_in(path, data)
    if pages is None or len(pages.pages) < 2:
        photo = photo_of(path, data, max_pixels)
        left_out = (_LEFT_OUT,) if pages is not None and pages.left_out else ()
        yield replace(photo, warnings=(*photo.warnings, *left_out))
        return
    for number in range(len(pages.pages)):
        yield _page_of(path, pages, number, max_pixels)


def _pages_in(path: Path, data: bytes) -> TiffPages | None:
    """The pages of a TIFF file; None for anything else. Raises DamagedMedia."""
    if is_camera_raw(path, data):
        return None
    try:
        return pages_of(data)
    except ValueError as problem:
        raise damaged(path, f"its pages cannot be counted: {problem}") from problem


def _page_of(path: Path, pages: TiffPages, number: int, max_pixels: int) -> Photo:
    """Each refusal and warning says which page it is about."""
    where = f"page {number + 1} of {len(pages.pages)}: "
    try:
        photo = photo_of(path, pages.alone(number), max_pixels)
    except (DamagedMedia, UnsupportedMedia) as problem:
        raise type(problem)(problem.what, path=path, why=where + problem.why, hint=problem.hint) from problem
    warnings = tuple(where + warning for warning in photo.warnings)
    return replace(photo, warnings=warnings, pages=len(pages.pages))


def write_pages(
    source: Path,
    target: Path,
    color_page: Callable[[Photo], ChromaRows | None],
    *,
    max_pixels: int,
    provenance: Record | None,
    strip: bool = False,
) -> tuple[str, ...]:
    """Write all pages of a TIFF file into another one; returns warnings.

    A page for which ``color_page`` gives chroma is coloured; where it gives None, the page is copied as it is. Only one
    page is decoded at a time. ``strip`` leaves out all that does not say how the pixels are to be shown. Raises as
    `read_photo` and `write_photo`.
    """
    pages = _pages_in(source, read_file(source, max_pixels))
    if pages is None or len(pages.pages) < 2:
        raise damaged(source, "it had several pages when it was looked at, and has them no more")
    container = encoder_for(target).container
    if container.name != "TIFF":
        raise UnsupportedMedia(
            "the source has several pages", path=target, why=f"{container.name} holds only one", hint="use .tif"
        )
    refuse_original(source, target)
    warnings = [_LEFT_OUT] if pages.left_out else []
    with whole_or_told(target) as file:
        file.write((b"II*\0" if pages.order == "<" else b"MM\0*") + bytes(4))
        link = 4
        for number in range(len(pages.pages)):
            photo = _page_of(source, pages, number, max_pixels)
            if strip:
                photo = photo.stripped()
            chroma = color_page(photo)
            if chroma is None:
                start, next_link = _copied(source, pages, number, file, strip)
            else:
                metadata, lost = metadata_out(photo, chroma, container, provenance)
                warnings += [*photo.warnings, *lost]
                start, next_link = append_page(photo, chroma, metadata, file, "<" if pages.order == "<" else ">")
            set_link(file, link, start, pages.order)
            link = next_link
    return tuple(warnings)


def _copied(source: Path, pages: TiffPages, number: int, file: BinaryIO, strip: bool) -> tuple[int, int]:
    """Append a page as it is; returns where its directory and its link stand. Raises UnsupportedMedia."""
    try:
        return pages.copy(number, file, (lambda tag: tag in PLAIN_TAGS) if strip else None)
    except ValueError as problem:
        raise unsupported(source, f"page {number + 1}: {problem}", "save it as a plain TIFF") from problem
