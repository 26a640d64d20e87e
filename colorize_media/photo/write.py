"""Write photographs, whole or not at all, as far as the output's format can hold them; what it cannot is said."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from colorize_media.errors import InputIsOutput, OutputUnwritable, UnsupportedMedia
from colorize_media.files.formats import FORMAT_SUFFIXES, NOT_WRITABLE, WRITABLE_PHOTO
from colorize_media.files.whole import whole_or_absent
from colorize_media.metadata.carried import PhotoMetadata, has_thumbnail
from colorize_media.metadata.output import Container, for_output
from colorize_media.photo.encode import ENCODERS, Encoder
from colorize_media.photo.join import ChromaRows, differences_of
from colorize_media.photo.picture import Photo
from colorize_media.photo.pixels import to_8_bits
from colorize_media.provenance.record import Record
from colorize_media.provenance.signing import Signer, signed

_THUMBNAIL_SIDE, _THUMBNAIL_QUALITY = 160, 80  # EXIF's own size: some 6 KB


def can_hold(suffix: str, bits: int, alpha: bool, extras: int = 0) -> tuple[str, ...]:
    """Warnings about what the output format of ``suffix`` (like ``.jpg``) would lose of the pixels.

    ``extras`` is the number of channels of unknown use.

    Raises UnsupportedMedia for an extension that is no writable picture format.
    """
    container = encoder_for(Path(f"x{suffix}")).container
    lost = []
    if bits > container.bits:
        what = f"{container.name} holds {container.bits} bits per channel: the source's {bits} are rounded"
        lost.append(f"{what} (.png and .tif keep them)")
    if alpha and not container.alpha:
        lost.append(f"{container.name} has no transparency: the picture becomes opaque (.png and .tif keep it)")
    if extras and not container.extras:
        what, it, they = ("a channel", "it is", "is") if extras == 1 else (f"{extras} channels", "they are", "are")
        of = f"beside the picture's own, of which the file does not say what {it} (infrared, a spot colour, a mask)"
        lost.append(f"{what} {of}, {they} not carried over (.tif keeps what is there)")
    return tuple(lost)


def encoder_for(target: Path) -> Encoder:
    """By the extension. Raises UnsupportedMedia for one of no format that can be written."""
    suffix = target.suffix.lower()
    if suffix in WRITABLE_PHOTO:
        encoder = next(encoder for name, encoder in ENCODERS.items() if suffix in FORMAT_SUFFIXES[name])
        if encoder.container.name != "AVIF" or features.check("avif"):
            return encoder
    why = "it has no extension"
    if suffix:
        why = NOT_WRITABLE.get(suffix, f"{suffix} is not an extension of a picture format that can be written")
    hint = "use .jpg, .png, .tif or .webp"
    raise UnsupportedMedia("the output's format cannot be written", path=target, why=why, hint=hint)


def write_photo(
    photo: Photo,
    chroma: ChromaRows | NDArray[np.float32],
    target: Path,
    *,
    quality: int,
    provenance: Record | None,
    signer: Signer | None = None,
) -> tuple[str, ...]:
    """Join the photograph's own luma with colour and write it; returns warnings about what the format could not hold.

    ``chroma``: Cb and Cr codes in ``photo.spec``, upright, as a function of rows (see ChromaRows) or whole as (H, W,
    2). ``quality`` 1…100 of lossy formats; the output says the ``provenance``, if there is one, and ``signer`` signs it.
    JPEG gets Y′ as it is, with Cb and Cr at full resolution. Other formats get R′G′B′ whose rounded luma equals Y′
    exactly; colours outside the cube lose chroma. The file appears whole under its name or not at all.

    Raises OutputUnwritable, UnsupportedMedia (extension, size), InputIsOutput; whatever ``chroma`` raises passes
    through.
    """
    encoder = encoder_for(target)
    container = encoder.container
    refuse_original(photo.path, target)
    if max(photo.size) > container.max_side:
        raise UnsupportedMedia(
            "the picture is too large for the output's format",
            path=target,
            why=f"{container.name} holds at most {container.max_side} pixels a side",
            hint="use .png or .tif",
        )
    rows = chroma if callable(chroma) else lambda top, bottom: chroma[top:bottom]
    metadata, lost = metadata_out(photo, rows, container, provenance)
    with whole_or_told(target) as file:
        if signer is None or provenance is None:
            encoder.write(photo, rows, metadata, quality, file)
        else:
            with signed(file, signer, target, provenance, photo.path) as (unsigned, warnings):
                encoder.write(photo, rows, metadata, quality, unsigned)
            lost += tuple(warnings)
    extras = 0 if photo.extras is None else photo.extras.shape[2]
    return (*can_hold(target.suffix, photo.spec.bits, photo.alpha is not None, extras), *lost)


def metadata_out(
    photo: Photo, chroma: ChromaRows, container: Container, provenance: Record | None
) -> tuple[PhotoMetadata, tuple[str, ...]]:
    """The metadata of a photograph's coloured version, and warnings about what its format cannot hold."""
    return for_output(
        photo.metadata,
        container,
        photo.size,
        provenance,
        thumbnail=_thumbnail(photo, chroma) if has_thumbnail(photo.metadata) else b"",
    )


def _thumbnail(photo: Photo, chroma: ChromaRows) -> bytes:
    """A small JPEG of the coloured picture, for which only some rows of colour are computed."""
    scale = min(1.0, _THUMBNAIL_SIDE / max(photo.size))
    width, height = (max(1, round(side * scale)) for side in photo.size)
    planes = np.empty((height, width, 3), np.uint8)
    planes[..., 0] = to_8_bits(cv2.resize(photo.luma, (width, height), interpolation=cv2.INTER_AREA))
    for row in range(height):
        top = int((row + 0.5) * photo.size[1] / height)
        line = cv2.resize(differences_of(photo, chroma, top, top + 1), (width, 1), interpolation=cv2.INTER_AREA)
        planes[row, :, 1:] = np.clip(np.rint(line[0] * np.float32(255.0) + np.float32(128.0)), 0, 255)
    memory = io.BytesIO()
    image = Image.frombuffer("YCbCr", (width, height), planes, "raw", "YCbCr", 0, 1)
    image.save(memory, "JPEG", quality=_THUMBNAIL_QUALITY)
    return memory.getvalue()


@contextmanager
def whole_or_told(target: Path) -> Iterator[BinaryIO]:
    """`whole_or_absent` with this room's errors."""
    try:
        with whole_or_absent(target) as file:
            yield file
    except OSError as problem:
        raise _unwritable(target, problem) from problem
    except MemoryError as problem:
        raise UnsupportedMedia(
            "the picture is too large for this machine", path=target, why="out of memory", hint="free some memory"
        ) from problem


def refuse_original(source: Path, target: Path) -> None:
    """Raises InputIsOutput where the two are one file, by whatever names."""
    try:
        same = os.path.samefile(source, target)
    except (OSError, ValueError):
        return
    if same:
        raise InputIsOutput(
            "the output would replace the original", path=target, hint="give another name or folder with -o"
        )


def _unwritable(target: Path, problem: OSError) -> OutputUnwritable:
    why = problem.strerror or str(problem)
    hint = "check the folder's permissions"
    if problem.errno in (errno.ENOENT, errno.ENOTDIR):
        hint = "create the folder first"
    elif problem.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG):
        hint = "free some space on the disk"
    elif problem.errno == errno.ENAMETOOLONG:
        hint = "choose a shorter name"
    elif problem.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST):
        hint = "a folder has this name: choose another"
    return OutputUnwritable("cannot write the output", path=target, why=why, hint=hint)
