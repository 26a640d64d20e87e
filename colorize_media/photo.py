"""Read and write photographs: the full-resolution luma, upright, and back with colour joined to it, strip by strip.

The luma is the source's own: a JPEG's Y plane, or the BT.601 luma of R′G′B′ at the file's own depth. What cannot be
carried over is refused (animations, HDR, float) or named in a warning. Decoders and what counts as damaged are in
photo_decode.py, heif.py and camera_raw.py, everything beside the pixels in metadata.py, pages in tiff_pages.py.
"""

from __future__ import annotations

import errno
import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from colorize_media.camera_raw import is_camera_raw, read_camera_raw
from colorize_media.color import YCbCrSpec
from colorize_media.errors import (
    DamagedMedia,
    InputIsOutput,
    OutputUnwritable,
    UnsupportedMedia,
)
from colorize_media.files import size_of_readable, unreadable
from colorize_media.formats import FORMAT_SUFFIXES, NOT_WRITABLE, WRITABLE_PHOTO
from colorize_media.heif import is_heic, read_heif
from colorize_media.metadata import (
    PLAIN_TAGS,
    PhotoMetadata,
    embed_in_jpeg,
    embed_in_png,
    for_output,
    grey_codes_as_srgb,
    has_thumbnail,
    profile_space,
    read_metadata,
    tiff_directory,
    tiff_orientation,
)
from colorize_media.outputs import whole_or_absent
from colorize_media.photo_decode import (
    check,
    decode,
    format_name,
    open_picture,
    quiet_pillow,
    warnings_about,
)
from colorize_media.pixels import Pixels, damaged, grey_preview, strips, to_8_bits, unsupported
from colorize_media.tiff_pages import MOST_BYTES, TiffPages, pages_of

ChromaRows: TypeAlias = Callable[[int, int], NDArray[Any]]
"""``chroma(top, bottom)`` gives Cb and Cr of these upright rows, ``(bottom − top, W, 2)`` in codes of Photo.spec: whole
ones in the type of Photo.luma, or floating point, which is rounded."""

_BYTES_PER_PIXEL = 8  # 16-bit RGBA, uncompressed; no file of max_pixels needs to be larger, so no larger one is read
_SPARE_BYTES = 64 << 20  # metadata, and small max_pixels
_LEFT_OUT = "the reduced copies and masks inside the file are not carried over"
_THUMBNAIL_SIDE, _THUMBNAIL_QUALITY = 160, 80  # EXIF's own size: some 6 KB
_DEFLATE = 3  # zlib level of PNG and TIFF: on photographs a third of the time of 6, and files of about the same size


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photograph.

    path      where it came from
    luma      (H, W) uint8 or uint16, full-range luma Y′ codes at full resolution, upright
    spec      what the codes mean: bt601, full range, 8 or 16 bits
    alpha     (H, W) of the same type, upright, or None
    preview   (h, w, 3) uint8 R′G′B′, upright, short side at most PREVIEW_SIDE: for the monochrome decision
    metadata  EXIF, XMP, IPTC, ICC … as they were in the file
    format    JPEG, PNG, TIFF, WEBP, BMP, GIF, JPEG2000, PPM, AVIF, HEIC or RAW, decided by content
    warnings  what could not be kept when reading
    pages     how many the file has; above 1 this is one of them
    """

    path: Path
    luma: NDArray[Any]
    spec: YCbCrSpec
    alpha: NDArray[Any] | None
    preview: NDArray[np.uint8]
    metadata: PhotoMetadata
    format: str
    warnings: tuple[str, ...] = ()
    pages: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Upright (width, height) in pixels."""
        return self.luma.shape[1], self.luma.shape[0]


def read_photo(path: Path, *, max_pixels: int) -> Photo:
    """Decode one photograph; of a TIFF file with several pages, the first.

    Raises InputMissing, InputUnreadable, EmptyFile, NoPicture, DamagedMedia, UnsupportedMedia, LibraryMissing.
    ``max_pixels`` is checked against the header, before anything is decoded. No Python warning and no file descriptor is
    left behind.
    """
    return next(read_pages(path, max_pixels=max_pixels))


def read_pages(path: Path, *, max_pixels: int) -> Iterator[Photo]:
    """Decode a photograph, page by page where it is a TIFF file with several. Raises as `read_photo`."""
    data = _read_file(path, max_pixels * _BYTES_PER_PIXEL + _SPARE_BYTES)
    pages = _pages_of(path, data)
    if pages is None or len(pages.pages) < 2:
        photo = _decoded(path, data, max_pixels)
        left_out = (_LEFT_OUT,) if pages is not None and pages.left_out else ()
        yield replace(photo, warnings=(*photo.warnings, *left_out))
        return
    for number in range(len(pages.pages)):
        yield _page(path, pages, number, max_pixels)


def _pages_of(path: Path, data: bytes) -> TiffPages | None:
    if is_camera_raw(path, data):
        return None
    try:
        return pages_of(data)
    except ValueError as problem:
        raise damaged(path, f"its pages cannot be counted: {problem}") from problem


def _page(path: Path, pages: TiffPages, number: int, max_pixels: int) -> Photo:
    """Each refusal and warning says which page it is about."""
    where = f"page {number + 1} of {len(pages.pages)}: "
    try:
        photo = _decoded(path, pages.alone(number), max_pixels)
    except (DamagedMedia, UnsupportedMedia) as problem:
        problem.why = where + problem.why
        raise
    warnings = tuple(where + warning for warning in photo.warnings)
    return replace(photo, warnings=warnings, pages=len(pages.pages))


def _decoded(path: Path, data: bytes, max_pixels: int) -> Photo:
    if is_heic(data):
        name = "HEIC"
        pixels, metadata, warnings = read_heif(path, data, max_pixels)
    elif is_camera_raw(path, data):
        name = "RAW"
        with quiet_pillow():
            pixels, metadata, warnings = read_camera_raw(path, data, max_pixels)
    else:
        name, pixels, metadata, warnings = _read_with_pillow(path, data, max_pixels)
    pixels, metadata = _to_srgb_meaning(path, pixels, metadata, warnings)
    orientation = 1 if pixels.upright else metadata.orientation
    bits = pixels.luma.dtype.itemsize * 8
    return Photo(
        path=path,
        luma=_upright(pixels.luma, orientation),
        spec=YCbCrSpec("bt601", full_range=True, bits=bits),
        alpha=None if pixels.alpha is None else _upright(pixels.alpha, orientation),
        preview=_upright(pixels.preview, orientation),
        metadata=metadata,
        format=name,
        warnings=tuple(warnings),
    )


def _read_with_pillow(path: Path, data: bytes, max_pixels: int) -> tuple[str, Pixels, PhotoMetadata, list[str]]:
    with quiet_pillow(), open_picture(path, data) as image:
        name = format_name(image)
        check(path, image, data, max_pixels)
        warnings = warnings_about(path, image, name, data)
        tiff_turn = tiff_orientation(image)
        pixels = decode(path, image, name, data, warnings)
        metadata, more = read_metadata(image, data)
        if name == "TIFF":
            metadata = replace(metadata, orientation=tiff_turn)
        return name, pixels, metadata, [*warnings, *more]


def _read_file(path: Path, max_bytes: int) -> bytes:
    size = size_of_readable(path)
    if size > max_bytes:
        raise UnsupportedMedia(
            "the file is too large for a photograph",
            path=path,
            why=f"{size} bytes, and no picture within the pixel limit needs more than {max_bytes}",
            hint="raise --max-pixels if this really is one picture",
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def _to_srgb_meaning(
    path: Path, pixels: Pixels, metadata: PhotoMetadata, warnings: list[str]
) -> tuple[Pixels, PhotoMetadata]:
    """Make the luma mean what it will mean in R′G′B′ outputs, and drop profiles that cannot stand on R′G′B′."""
    space = profile_space(metadata.icc)
    if pixels.converted or not space or space == "RGB":
        return pixels, metadata.without_profile() if pixels.converted else metadata
    if space == "GRAY" and pixels.grey:
        try:
            table = grey_codes_as_srgb(metadata.icc, pixels.luma.dtype.itemsize * 8)
        except ValueError as problem:
            warnings.append(f"the grey profile cannot be used ({problem}) and is not carried over")
        else:
            luma = table[pixels.luma]
            pixels = Pixels(luma, grey_preview(luma), pixels.alpha, grey=True, upright=pixels.upright)
    else:
        warnings.append(f"the {space} profile does not fit the picture's pixels and is not carried over")
    return pixels, metadata.without_profile()


def _upright(plane: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply EXIF orientation 1…8 to (H, W) or (H, W, C)."""
    if orientation in (5, 6, 7, 8):
        plane = np.swapaxes(plane, 0, 1)
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    return np.ascontiguousarray(plane)


@dataclass(frozen=True)
class _Container:
    """What an output format can hold: bits per channel, pixels a side, and which fields of PhotoMetadata."""

    name: str
    bits: int
    alpha: bool
    max_side: int
    holds: frozenset[str]


_RICH = frozenset({"exif", "icc", "xmp"})
_CONTAINERS = (
    _Container("JPEG", 8, False, 65500, _RICH | {"extended_xmp", "photoshop", "comment"}),
    _Container("PNG", 16, True, 1_000_000, _RICH | {"text", "gamma", "comment", "photoshop"}),  # libpng's default limit
    _Container("TIFF", 16, True, 0x7FFFFFFF, _RICH | {"photoshop"}),
    _Container("WEBP", 8, True, 16383, _RICH),
    _Container("AVIF", 8, True, 65535, _RICH),
    _Container("BMP", 8, False, 65535, frozenset()),
    _Container("JPEG2000", 16, True, 0x7FFFFFFF, frozenset()),
    _Container("PPM", 16, False, 0x7FFFFFFF, frozenset()),
)


def can_hold(suffix: str, bits: int, alpha: bool) -> tuple[str, ...]:
    """Warnings about what the output format of ``suffix`` (like ``.jpg``) would lose of the pixels.

    Raises UnsupportedMedia for an extension that is no writable picture format.
    """
    container = _container(Path(f"x{suffix}"))
    lost = []
    if bits > container.bits:
        what = f"{container.name} holds {container.bits} bits per channel: the source's {bits} are rounded"
        lost.append(f"{what} (.png and .tif keep them)")
    if alpha and not container.alpha:
        lost.append(f"{container.name} has no transparency: the picture becomes opaque (.png and .tif keep it)")
    return tuple(lost)


def _container(target: Path) -> _Container:
    suffix = target.suffix.lower()
    if suffix in WRITABLE_PHOTO:
        container = next(known for known in _CONTAINERS if suffix in FORMAT_SUFFIXES[known.name])
        if container.name != "AVIF" or features.check("avif"):
            return container
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
    tool: str,
    provenance: bool = True,
    strip: bool = False,
) -> tuple[str, ...]:
    """Join the photograph's own luma with colour and write it; returns warnings about what the format could not hold.

    ``chroma``: Cb and Cr codes in ``photo.spec``, upright, as a function of rows (see ChromaRows) or whole as (H, W,
    2). ``quality`` 1…100 of lossy formats; ``tool`` names the program in the provenance, like ``colorize-media 0.1.0``;
    for ``provenance`` and ``strip`` see `metadata.for_output`.
    JPEG gets Y′ as it is, with Cb and Cr at full resolution. Other formats get R′G′B′ whose rounded luma equals Y′
    exactly; colours outside the cube lose chroma. The file appears whole under its name or not at all.

    Raises OutputUnwritable, UnsupportedMedia (extension, size), InputIsOutput; whatever ``chroma`` raises passes
    through.
    """
    container = _container(target)
    _refuse_original(photo.path, target)
    if max(photo.size) > container.max_side:
        raise UnsupportedMedia(
            "the picture is too large for the output's format",
            path=target,
            why=f"{container.name} holds at most {container.max_side} pixels a side",
            hint="use .png or .tif",
        )
    rows = chroma if callable(chroma) else lambda top, bottom: chroma[top:bottom]
    metadata, lost = _metadata_out(photo, rows, container, tool, provenance=provenance, strip=strip)
    with _whole_or_told(target) as file:
        _ENCODERS[container.name](photo, rows, metadata, quality, file)
    return (*can_hold(target.suffix, photo.spec.bits, photo.alpha is not None), *lost)


def write_pages(
    source: Path,
    target: Path,
    color_page: Callable[[Photo], ChromaRows | None],
    *,
    max_pixels: int,
    tool: str,
    provenance: bool = True,
    strip: bool = False,
) -> tuple[str, ...]:
    """Write all pages of a TIFF file into another one; returns warnings.

    A page for which ``color_page`` gives chroma is coloured; where it gives None, the page is copied as it is. Only one
    page is decoded at a time. Raises as `read_photo` and `write_photo`.
    """
    pages = _pages_of(source, _read_file(source, max_pixels * _BYTES_PER_PIXEL + _SPARE_BYTES))
    if pages is None or len(pages.pages) < 2:
        raise damaged(source, "it had several pages when it was looked at, and has them no more")
    container = _container(target)
    if container.name != "TIFF":
        raise UnsupportedMedia(
            "the source has several pages", path=target, why=f"{container.name} holds only one", hint="use .tif"
        )
    _refuse_original(source, target)
    warnings: list[str] = []
    if pages.left_out:
        warnings.append(_LEFT_OUT)
    with _whole_or_told(target) as file:
        file.write((b"II*\0" if pages.order == "<" else b"MM\0*") + bytes(4))
        link = 4
        for number in range(len(pages.pages)):
            photo = _page(source, pages, number, max_pixels)
            chroma = color_page(photo)
            if chroma is None:
                try:
                    start, next_link = pages.copy(number, file, (lambda tag: tag in PLAIN_TAGS) if strip else None)
                except ValueError as problem:
                    raise unsupported(source, f"page {number + 1}: {problem}", "save it as a plain TIFF") from problem
            else:
                metadata, lost = _metadata_out(photo, chroma, container, tool, provenance=provenance, strip=strip)
                warnings += [*photo.warnings, *lost]
                start, next_link = _append_page(photo, chroma, metadata, file, "<" if pages.order == "<" else ">")
            _set_link(file, link, start, pages.order)
            link = next_link
    return tuple(warnings)


def _metadata_out(
    photo: Photo, chroma: ChromaRows, container: _Container, tool: str, *, provenance: bool, strip: bool
) -> tuple[PhotoMetadata, tuple[str, ...]]:
    wanted = not strip and has_thumbnail(photo.metadata)
    return for_output(
        photo.metadata,
        container.holds,
        container.name,
        photo.size,
        photo.path.name,
        tool,
        thumbnail=_thumbnail(photo, chroma) if wanted else b"",
        provenance=provenance,
        strip=strip,
    )


def _thumbnail(photo: Photo, chroma: ChromaRows) -> bytes:
    """A small JPEG of the coloured picture, for which only some rows of colour are computed."""
    scale = min(1.0, _THUMBNAIL_SIDE / max(photo.size))
    width, height = (max(1, round(side * scale)) for side in photo.size)
    planes = np.empty((height, width, 3), np.uint8)
    planes[..., 0] = to_8_bits(cv2.resize(photo.luma, (width, height), interpolation=cv2.INTER_AREA))
    for row in range(height):
        top = int((row + 0.5) * photo.size[1] / height)
        line = cv2.resize(_differences(photo, chroma, top, top + 1), (width, 1), interpolation=cv2.INTER_AREA)
        planes[row, :, 1:] = np.clip(np.rint(line[0] * np.float32(255.0) + np.float32(128.0)), 0, 255)
    memory = io.BytesIO()
    image = Image.frombuffer("YCbCr", (width, height), planes, "raw", "YCbCr", 0, 1)
    image.save(memory, "JPEG", quality=_THUMBNAIL_QUALITY)
    return memory.getvalue()


@contextmanager
def _whole_or_told(target: Path) -> Iterator[BinaryIO]:
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


def _refuse_original(source: Path, target: Path) -> None:
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


def _rgb_rows(photo: Photo, chroma: ChromaRows, bits: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """(top, R′G′B′ or R′G′B′A ``(n, W, 3 or 4)``) strips in ``bits``; their rounded luma is the source's."""
    dtype = np.uint8 if bits == 8 else np.uint16
    height, width = photo.luma.shape
    for top, bottom in strips(height, width):
        rgb = rgb_of_luma(_to_bits(photo.luma[top:bottom], bits), _differences(photo, chroma, top, bottom), bits)
        if photo.alpha is None:
            yield top, rgb
        else:
            alpha = _to_bits(photo.alpha[top:bottom], bits).astype(dtype)
            yield top, np.concatenate((rgb, alpha[..., None]), axis=2)


def _to_bits(codes: NDArray[Any], bits: int) -> NDArray[Any]:
    """Full-range codes at another depth, rounded."""
    have = codes.dtype.itemsize * 8
    if have == bits:
        return codes
    if bits == 16:
        return codes.astype(np.uint16) * np.uint16(257)
    return ((codes.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _chroma_codes(photo: Photo, chroma: ChromaRows, top: int, bottom: int) -> NDArray[Any]:
    """Cb and Cr of a strip in codes of ``photo.spec``. Raises ValueError for another shape."""
    codes = np.asarray(chroma(top, bottom))
    expected = (bottom - top, photo.luma.shape[1], 2)
    if codes.shape != expected:
        raise ValueError(f"chroma rows {top} to {bottom} have shape {codes.shape}, not {expected}")
    return codes


def _differences(photo: Photo, chroma: ChromaRows, top: int, bottom: int) -> NDArray[np.float32]:
    """Cb and Cr of a strip in [−0.5, 0.5]."""
    codes = _chroma_codes(photo, chroma, top, bottom).astype(np.float32)
    codes -= photo.spec.chroma_mid
    codes *= np.float32(1 / photo.spec.chroma_scale)
    return codes


def rgb_of_luma(luma: NDArray[Any], differences: NDArray[np.float32], bits: int) -> NDArray[Any]:
    """Integer R′G′B′ ``(n, W, 3)`` whose BT.601 luma, rounded, equals ``luma`` ``(n, W)`` exactly.

    ``differences`` are Cb and Cr in [−0.5, 0.5]. Where the colour leaves the cube, the differences shrink together. Red
    and blue are rounded first and green is chosen last, from the luma that they leave: its rounding error of half a
    code is 0.29 codes of luma, and rounding three channels independently would allow 0.5 and fail.
    """
    largest = (1 << bits) - 1
    y = luma.astype(np.float32 if bits == 8 else np.float64)  # holds 1000 times a code exactly
    cb, cr = cv2.split(differences.astype(y.dtype, copy=False))
    red, blue = cr, cb
    red *= 2 * (1 - 0.299) * largest
    blue *= 2 * (1 - 0.114) * largest
    _shrink_into_cube(y, red, blue, largest)
    for channel in (red, blue):
        channel += y
        np.rint(channel, out=channel)
    # (1000 Y′ − 299 R′ − 114 B′) / 587, of whole numbers: never half way between two codes.
    green: NDArray[Any] = cv2.scaleAdd(y, 1000, cv2.addWeighted(red, -299, blue, -114, 0))
    green /= 587
    np.rint(green, out=green)
    dtype = np.uint8 if bits == 8 else np.uint16
    codes = [np.clip(channel, 0, largest, out=channel).astype(dtype) for channel in (red, green, blue)]
    rgb: NDArray[Any] = cv2.merge(codes)
    return rgb


def _shrink_into_cube(y: NDArray[Any], red: NDArray[Any], blue: NDArray[Any], largest: int) -> None:
    """Shrink R′ − Y′ and B′ − Y′ together, in place, where a channel would leave 0 … ``largest``: few pixels do."""
    green = cv2.addWeighted(red, -0.299 / 0.587, blue, -0.114 / 0.587, 0)
    least, most = np.minimum(red, blue), np.maximum(red, blue)
    np.minimum(least, green, out=least)
    np.maximum(most, green, out=most)
    outside = np.flatnonzero((least < -y) | (most > largest - y))
    room, least, most = (np.take(plane, outside) for plane in (y, least, most))
    share = np.minimum(room / np.maximum(-least, 1e-9), (largest - room) / np.maximum(most, 1e-9))
    np.minimum(share, 1.0, out=share)
    for channel in (red, blue):
        channel.reshape(-1)[outside] *= share


def _assembled(photo: Photo, chroma: ChromaRows) -> Image.Image:
    """The 8-bit picture as Pillow's, filled strip by strip."""
    image = Image.new("RGB" if photo.alpha is None else "RGBA", photo.size)
    for top, strip in _rgb_rows(photo, chroma, 8):
        image.paste(Image.fromarray(strip), (0, top))
    return image


def _write_jpeg(photo: Photo, chroma: ChromaRows, metadata: PhotoMetadata, quality: int, file: BinaryIO) -> None:
    encoded = io.BytesIO()
    _ycbcr(photo, chroma).save(encoded, "JPEG", quality=quality, subsampling=0, **_dpi(metadata))
    file.write(embed_in_jpeg(encoded.getvalue(), metadata))


def _ycbcr(photo: Photo, chroma: ChromaRows) -> Image.Image:
    """The picture's planes as a JPEG has them: 8 bits, full range, Y′ as it is."""
    height, width = photo.luma.shape
    cb, cr = np.empty((2, height, width), np.uint8)
    for top, bottom in strips(height, width):
        if photo.spec.bits == 8:  # full-range codes are JPEG's own
            codes = _chroma_codes(photo, chroma, top, bottom)
        else:
            codes = _differences(photo, chroma, top, bottom) * np.float32(255.0) + np.float32(128.0)
        if codes.dtype != np.uint8:
            codes = np.clip(np.rint(codes), 0, 255).astype(np.uint8)
        cv2.split(codes, [cb[top:bottom], cr[top:bottom]])
    luma = np.ascontiguousarray(_to_bits(photo.luma, 8))
    return Image.merge("YCbCr", [Image.fromarray(plane) for plane in (luma, cb, cr)])


def _write_png(photo: Photo, chroma: ChromaRows, metadata: PhotoMetadata, quality: int, file: BinaryIO) -> None:
    if photo.spec.bits == 8:
        memory = io.BytesIO()
        _assembled(photo, chroma).save(memory, "PNG", compress_level=_DEFLATE)
        file.write(embed_in_png(memory.getvalue(), metadata))
        return
    encoded = _encoded_deep(photo, chroma, ".png", [cv2.IMWRITE_PNG_COMPRESSION, _DEFLATE])
    file.write(embed_in_png(encoded, metadata))


def _encoded_deep(photo: Photo, chroma: ChromaRows, suffix: str, settings: list[int]) -> bytes:
    """The 16-bit picture by OpenCV, which wants B, G, R."""
    order = [2, 1, 0] if photo.alpha is None else [2, 1, 0, 3]
    picture = np.empty((*photo.luma.shape, len(order)), np.uint16)
    for top, strip in _rgb_rows(photo, chroma, 16):
        picture[top : top + len(strip)] = strip[..., order]
    done, encoded = cv2.imencode(suffix, picture, settings)
    if not done:
        raise OSError(f"the {suffix} encoder failed")
    return encoded.tobytes()


def _write_tiff(photo: Photo, chroma: ChromaRows, metadata: PhotoMetadata, quality: int, file: BinaryIO) -> None:
    file.write(b"II*\0" + bytes(4))
    start, _ = _append_page(photo, chroma, metadata, file, "<")
    _set_link(file, 4, start, "<")


def _set_link(file: BinaryIO, at: int, start: int, order: str) -> None:
    file.seek(at)
    file.write(struct.pack(f"{order}L", start))
    file.seek(0, os.SEEK_END)


def _append_page(
    photo: Photo, chroma: ChromaRows, metadata: PhotoMetadata, file: BinaryIO, order: Literal["<", ">"]
) -> tuple[int, int]:
    """Deflated strips, then the directory: written here because Pillow has no 16-bit R′G′B′.

    Returns where the directory stands, and its link to a next page.
    """
    bits, channels = photo.spec.bits, 3 if photo.alpha is None else 4
    offsets, lengths, rows = [], [], 0
    for _, strip in _rgb_rows(photo, chroma, bits):
        rows = rows or len(strip)
        delta = strip.copy()
        delta[:, 1:] -= strip[:, :-1]
        packed = zlib.compress(delta.astype(f"{order}u2" if bits == 16 else "u1").tobytes(), _DEFLATE)
        offsets.append(file.tell())
        lengths.append(len(packed))
        file.write(packed + b"\0" * (len(packed) % 2))
        if file.tell() > MOST_BYTES:
            raise OSError(errno.EFBIG, "TIFF files cannot exceed 4 GB")
    width, height = photo.size
    storage = {256: width, 257: height, 258: (bits,) * channels, 259: 8, 262: 2, 277: channels}
    storage |= {278: rows, 279: tuple(lengths), 284: 1, 317: 2}
    if channels == 4:
        storage[338] = 2  # unassociated alpha
    start = file.tell()
    directory, link = tiff_directory(metadata, storage, tuple(offsets), start, order)
    file.write(directory + b"\0" * (len(directory) % 2))
    return start, start + link


def _write_jpeg2000(photo: Photo, chroma: ChromaRows, metadata: PhotoMetadata, quality: int, file: BinaryIO) -> None:
    if photo.spec.bits == 8:
        _write_with_pillow("JPEG2000", photo, chroma, metadata, quality, file)
        return
    file.write(_encoded_deep(photo, chroma, ".jp2", [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]))  # 1000: lossless


def _write_ppm(photo: Photo, chroma: ChromaRows, metadata: PhotoMetadata, quality: int, file: BinaryIO) -> None:
    if photo.spec.bits == 8:
        _write_with_pillow("PPM", photo, chroma, metadata, quality, file)
        return
    file.write(b"P6 %d %d 65535\n" % photo.size)
    for _, strip in _rgb_rows(replace(photo, alpha=None), chroma, 16):
        file.write(strip.astype(">u2").tobytes())


def _write_with_pillow(
    name: str, photo: Photo, chroma: ChromaRows, metadata: PhotoMetadata, quality: int, file: BinaryIO
) -> None:
    options: dict[str, Any] = {}
    if name in ("WEBP", "AVIF"):
        options = {"quality": quality, "icc_profile": metadata.icc or None}
        options |= {key: value for key, value in (("exif", metadata.exif), ("xmp", metadata.xmp)) if value}
    elif name == "BMP":
        options = _dpi(metadata)
    encoded = io.BytesIO()  # some encoders seek and read back, and their errors must not look like the disk's
    _assembled(photo, chroma).save(encoded, name, **options)
    file.write(encoded.getbuffer())


def _dpi(metadata: PhotoMetadata) -> dict[str, Any]:
    return {} if metadata.dpi is None else {"dpi": metadata.dpi}


_Encoder: TypeAlias = Callable[[Photo, ChromaRows, PhotoMetadata, int, BinaryIO], None]
_ENCODERS: dict[str, _Encoder] = {"JPEG": _write_jpeg, "PNG": _write_png, "TIFF": _write_tiff}
_ENCODERS |= {name: partial(_write_with_pillow, name) for name in ("WEBP", "AVIF", "BMP")}
_ENCODERS |= {"JPEG2000": _write_jpeg2000, "PPM": _write_ppm}
