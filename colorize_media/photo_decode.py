"""Decode a photograph from bytes with the decoder that loses nothing, and refuse what would be lost or is cut.

Decoders: FFmpeg (through PyAV, from memory, never by file name) where it keeps what Pillow would lose, which is a
JPEG's own Y plane and 16 bits per channel of PNG, TIFF and JPEG 2000; Pillow for everything else and wherever the two
disagree.

What counts as damaged: a picture is whole only if the strict decoder of its format reads it to its end. For JPEG that
is libjpeg (FFmpeg fills what is missing with grey and says nothing), which is asked for the whole stream at 1/8 size; a
file that stops before its end marker is refused even if only the last rows are missing. A colour version of half a
picture must not look like success.
"""

from __future__ import annotations

import io
import struct
import threading
import warnings as python_warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, features

from colorize_media.errors import DamagedMedia, NoPicture, UnsupportedMedia
from colorize_media.formats import FORMAT_SUFFIXES
from colorize_media.metadata import exif_orientation, profile_space

PREVIEW_SIDE = 256  # pixels, short side: enough for the monochrome decision, and JPEG noise averages out
STRIP_PIXELS = 1 << 20  # pixels worked on at once: float64 temporaries stay under 100 MB
_GREY_TOLERANCE = 12  # codes of 255 between R, G and B; scanner profiles reach 5, XYB has over 100
_DECODERS_DIFFER = 6.0  # mean codes of 255 between FFmpeg's and libjpeg's luma at 1/8; two good decoders stay under 1


_ALIASES = {"MPO": "JPEG", "DIB": "BMP"}
_FFMPEG_DECODERS = {"JPEG": "mjpeg", "PNG": "png", "TIFF": "tiff", "JPEG2000": "jpeg2000"}
_RAW_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos"}
    | {".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"}
)

# Pillow's limit on pixels is a module-wide setting and its warnings go through Python's module-wide filters, so both
# are set aside while any thread decodes.
_PILLOW = threading.Lock()
_inside = 0
_settings: tuple[Any, int | None] | None = None


@dataclass(frozen=True, eq=False)
class Pixels:
    """Decoded planes as stored. ``grey``: one channel. ``upright``: the decoder has applied Orientation.

    ``converted``: no longer in the file's own profile, but in sRGB.
    """

    luma: NDArray[Any]
    preview: NDArray[np.uint8]
    alpha: NDArray[Any] | None = None
    grey: bool = False
    upright: bool = False
    converted: bool = False


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """No warnings and no limit on pixels; several threads may be inside at once, the last one restores both."""
    global _inside, _settings
    with _PILLOW:
        _inside += 1
        if _inside == 1:
            filters = python_warnings.catch_warnings()
            filters.__enter__()
            python_warnings.simplefilter("ignore")
            _settings = filters, Image.MAX_IMAGE_PIXELS
            Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with _PILLOW:
            _inside -= 1
            if _inside == 0 and _settings is not None:
                filters, Image.MAX_IMAGE_PIXELS = _settings
                filters.__exit__(None, None, None)


def format_name(image: Image.Image) -> str:
    """The format by content, one of FORMAT_SUFFIXES if it can be read."""
    return _ALIASES.get(image.format or "", image.format or "")


def open_picture(path: Path, data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data))
    except (*_DECODER_ERRORS, OverflowError) as problem:
        raise _unidentified(path, data) from problem


_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
    (b"GIF8", "GIF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
)
_ISO_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"crx ": "camera raw"} | dict.fromkeys(
    (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), "HEIC"
)


def _unidentified(path: Path, data: bytes) -> NoPicture | DamagedMedia | UnsupportedMedia:
    """The error for a file that Pillow cannot open at all."""
    if data[4:8] == b"ftyp" and data[8:12] in _ISO_BRANDS:
        kind = _ISO_BRANDS[data[8:12]]
        if kind == "AVIF" and features.check("avif"):
            return _damaged(path, "it begins like AVIF, but cannot be decoded")
        return _unsupported(
            path, f"{kind} pictures cannot be read whole by this version", "export it as JPEG or PNG first"
        )
    if path.suffix.lower() in _RAW_SUFFIXES:
        return _unsupported(path, "it is a camera raw file", "develop it to TIFF or JPEG first")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _damaged(path, "the WebP header cannot be read")
    if _has_directory(data):
        return _unsupported(
            path, "this layout of TIFF pixels cannot be read", "save it as a plain 8-bit or 16-bit TIFF"
        )
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return _damaged(path, f"it begins like {kind}, but its header cannot be read")
    if b"<svg" in data[:1024]:
        return _unsupported(path, "it is a vector drawing (SVG)", "export it as PNG first")
    return NoPicture(
        "there is no picture in the file",
        path=path,
        why="its content is none of the known picture formats, whatever its name says",
        hint="open it in a viewer to see what it is",
    )


def _has_directory(data: bytes) -> bool:
    try:
        exif_orientation(data)
    except ValueError:
        return False
    return True


def _damaged(path: Path, why: str) -> DamagedMedia:
    return DamagedMedia(
        "the picture is damaged", path=path, why=why, hint="copy it again from its source, or repair it"
    )


def _unsupported(path: Path, why: str, hint: str) -> UnsupportedMedia:
    return UnsupportedMedia("this kind of picture is not supported", path=path, why=why, hint=hint)


def check(path: Path, image: Image.Image, data: bytes, max_pixels: int) -> None:
    """Refuse from the header alone what is too large or would lose something."""
    name, (width, height) = image.format or "", image.size
    if width * height > max_pixels:
        raise UnsupportedMedia(
            "the picture is too large",
            path=path,
            why=f"{width} × {height} is more than {max_pixels} pixels",
            hint="raise --max-pixels if the machine has the memory",
        )
    if width < 1 or height < 1:
        raise _damaged(path, f"its size is {width} × {height}")
    tags = getattr(image, "tag_v2", {})
    if path.suffix.lower() in _RAW_SUFFIXES or 50706 in tags or data[8:10] == b"CR":  # 50706: DNGVersion; CR: Canon
        # A raw file opens as its small embedded preview.
        raise _unsupported(path, "it is a camera raw file", "develop it to TIFF or JPEG first")
    if format_name(image) not in FORMAT_SUFFIXES:
        raise _unsupported(path, f"its format is {name}", "convert it to PNG or TIFF first")
    if name != "MPO" and _other_pages(path, image):
        kind = "pages" if name == "TIFF" else "frames"
        hint = "split it into single pages first" if name == "TIFF" else "convert the animation to a video first"
        raise _unsupported(path, f"it holds several {kind}, and only one could be written", hint)
    deep = {"F": "floating point", "I": "32-bit integer", "LAB": "Lab"}
    if image.mode in deep and not (name == "PPM" and image.mode == "I"):
        raise _unsupported(path, f"its pixels are {deep[image.mode]}", "convert it to 16-bit PNG or TIFF first")
    if name == "AVIF" and _avif_is_hdr(data):
        raise _unsupported(
            path, "it is a high dynamic range picture (PQ or HLG)", "export it as a standard picture first"
        )


def _other_pages(path: Path, image: Image.Image) -> bool:
    """Whether the file holds more pictures; reduced copies of the first page (TIFF tag 254, bit 0) do not count."""
    try:
        count = int(getattr(image, "n_frames", 1))
        if count == 1 or image.format != "TIFF":
            return count > 1
        for page in range(1, min(count, 100)):
            image.seek(page)
            if not int(image.tag_v2.get(254, 0)) & 1:  # type: ignore[attr-defined]
                return True
        image.seek(0)
        return count > 100
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, TypeError, KeyError) as problem:
        raise _damaged(path, f"its pages cannot be counted: {problem}") from problem


def _avif_bits(data: bytes) -> int:
    """Bits per channel from the AV1 configuration box (AV1-ISOBMFF §2.3.3): high_bitdepth and twelve_bit."""
    at = data.find(b"av1C")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10


def _avif_is_hdr(data: bytes) -> bool:
    """Whether the colour box names the PQ (16) or HLG (18) transfer (ISO/IEC 23091-2)."""
    at = data.find(b"colrnclx")
    return 0 <= at < len(data) - 12 and struct.unpack_from(">H", data, at + 10)[0] in (16, 18)


def warnings_about(path: Path, image: Image.Image, name: str, data: bytes) -> list[str]:
    found: list[str] = []
    expected = next((known for known, suffixes in FORMAT_SUFFIXES.items() if path.suffix.lower() in suffixes), name)
    if expected != name:
        found.append(f"the file is named {path.suffix} but its content is {name}")
    if image.format == "MPO":
        found.append("the camera's further pictures inside the file (MPO) are not carried over")
    if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
        found.append("the reduced copies inside the file are not carried over")
    if name == "AVIF" and _avif_bits(data) > 8:
        found.append(f"the {_avif_bits(data)}-bit picture is read with 8 bits per channel")
    return found


def decode(path: Path, image: Image.Image, name: str, data: bytes, warnings: list[str]) -> Pixels:
    """Planes by the best decoder for the file. Raises DamagedMedia and UnsupportedMedia."""
    try:
        depth = _declared_bits(image, data)
        if depth > 8 and depth != 16 and not (name == "PPM" and image.mode == "I"):
            raise _unsupported(
                path, f"its {depth} bits per channel cannot be read", "convert it to 16-bit PNG or TIFF first"
            )
        strange = profile_space(image.info.get("icc_profile", b"")) == "RGB" and not _is_grey_balanced(image)
        if strange and (depth > 8 or image.mode != "RGB"):
            raise _unsupported(path, "equal R, G and B are not grey in its colour profile", "convert it to sRGB first")
        if name == "JPEG" and not strange:
            pixels = _jpeg_planes(data, image.size)
            if pixels is not None:
                return pixels
        image.load()  # the strict decoder: what it cannot read to the end is damaged
        if depth > 8 and name in _FFMPEG_DECODERS:
            return _deep_planes(path, image, name, data)
        if strange:
            warnings.append("its colour profile is not one of a display: converted to sRGB, and not carried over")
            return _pillow_planes(_profile_to_srgb(image), warnings, converted=True)
        if image.mode == "CMYK":
            return _pillow_planes(_cmyk_to_srgb(image, warnings), warnings, converted=True)
        return _pillow_planes(image, warnings)
    except _DECODER_ERRORS as problem:
        raise _damaged(path, str(problem) or type(problem).__name__) from problem
    except MemoryError as problem:
        raise _unsupported(path, "there is not enough memory for it", "lower --max-pixels, or free memory") from problem


# What Pillow's decoders raise on damaged bytes.
_DECODER_ERRORS = (
    *(OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, IndexError, TypeError, KeyError),
    ImageCms.PyCMSError,
)


def _declared_bits(image: Image.Image, data: bytes) -> int:
    """Bits per channel as the file says; Pillow's mode hides that 16-bit R′G′B′ is cut to 8."""
    if image.format == "PNG":
        return data[24] if data[12:16] == b"IHDR" else 8
    if image.format == "TIFF":
        bits = image.tag_v2.get(258, 1)  # type: ignore[attr-defined]
        return max(bits) if isinstance(bits, tuple) else int(bits)
    if image.format == "JPEG2000":
        at = data.find(b"\xff\x51")  # SIZ; its first component's depth − 1 is at offset 40 (T.800 A.5.1)
        return (data[at + 40] & 0x7F) + 1 if 0 <= at < len(data) - 40 else 8
    return 16 if image.mode.startswith("I") else 8


def _jpeg_planes(data: bytes, size: tuple[int, int]) -> Pixels | None:
    """The JPEG's own Y plane; None where FFmpeg has no Y′CbCr or disagrees with libjpeg; OSError if it is cut."""
    with Image.open(io.BytesIO(data)) as check:
        check.draft("L", (1, 1))  # 1/8 size: the whole stream is read, only the averages are decoded
        check.load()
        small = np.asarray(check.convert("L"))
    frame = _ffmpeg_frame("mjpeg", data, size)
    if frame is None or (frame.width, frame.height) != size:
        return None
    if frame.format.name not in ("gray", "yuvj420p", "yuvj422p", "yuvj444p", "yuvj440p", "yuvj411p"):
        return None
    planes = [_plane(frame, index, np.uint8) for index in range(len(frame.planes))]
    shrunk = cv2.resize(planes[0], small.shape[::-1], interpolation=cv2.INTER_AREA)
    if float(np.abs(shrunk.astype(np.float32) - small).mean()) > _DECODERS_DIFFER:
        return None
    w, h = _preview_size(*size)
    shrunk_planes = [cv2.resize(plane, (w, h), interpolation=cv2.INTER_AREA) for plane in planes]
    if len(planes) == 1:
        preview = np.repeat(shrunk_planes[0][..., None], 3, axis=2)
    else:
        y, cb, cr = shrunk_planes
        preview = np.ascontiguousarray(cv2.cvtColor(cv2.merge((y, cr, cb)), cv2.COLOR_YCrCb2RGB))
    return Pixels(planes[0].copy(), preview.astype(np.uint8, copy=False), grey=len(planes) == 1)


def _deep_planes(path: Path, image: Image.Image, name: str, data: bytes) -> Pixels:
    """16-bit planes by FFmpeg, or by Pillow for one grey channel that FFmpeg cannot read."""
    stored = image.size
    tags = getattr(image, "tag_v2", {})
    if name == "TIFF":
        stored = int(tags[256]), int(tags[257])  # Pillow has turned its own by now
        if tags.get(262) not in (1, 2):  # BlackIsZero and RGB; FFmpeg hands out CMYK and inverted grey as these
            raise _unsupported(path, "this kind of TIFF with 16 bits cannot be read", "save it as 16-bit RGB or grey")
    frame = _ffmpeg_frame(_FFMPEG_DECODERS[name], data, stored)
    channels = {"gray16": 1, "ya16": 2, "rgb48": 3, "rgba64": 4}
    if frame is None or (frame.width, frame.height) != stored or frame.format.name[:-2] not in channels:
        if image.mode.startswith("I;16"):
            return _pillow_planes(image, [])
        raise _unsupported(
            path, f"this layout of {name} with 16 bits cannot be read", "convert it to a plain 16-bit PNG"
        )
    count = channels[frame.format.name[:-2]]
    samples = _plane(frame, 0, np.dtype(">u2" if frame.format.name.endswith("be") else "<u2"), count)
    samples = samples.astype(np.uint16, copy=False).reshape(frame.height, frame.width, count)
    if count in (2, 4) and tags.get(338) in (1, (1,)):
        raise _unsupported(
            path, "its 16-bit colours are multiplied by its alpha", "save it with plain (unassociated) alpha"
        )
    alpha = np.ascontiguousarray(samples[..., -1]) if count in (2, 4) else None
    if count <= 2:
        luma = np.ascontiguousarray(samples[..., 0])
        return Pixels(luma, grey_preview(luma), alpha, grey=True)
    w, h = _preview_size(frame.width, frame.height)
    small = cv2.resize(samples[..., :3], (w, h), interpolation=cv2.INTER_AREA)
    luma = np.empty(samples.shape[:2], np.uint16)
    for top, bottom in strips(*luma.shape):
        luma[top:bottom] = _luma(samples[top:bottom, :, :3])
    return Pixels(luma, _to_8_bits(np.asarray(small)), alpha)


def _pillow_planes(image: Image.Image, warnings: list[str], *, converted: bool = False) -> Pixels:
    """Planes of a loaded image of any mode with 8 bits, or one channel of 16."""
    upright = getattr(image, "format", "") == "TIFF"  # Pillow applies a TIFF's orientation when it loads
    if image.mode.startswith("I"):
        deep = np.ascontiguousarray(np.asarray(image)).astype(np.uint16)
        return Pixels(deep, grey_preview(deep), grey=True, upright=upright)
    if image.mode in ("1", "L") and "transparency" not in image.info:
        plain = np.asarray(image.convert("L")).copy()
        return Pixels(plain, grey_preview(plain), grey=True, upright=upright)
    grey = image.mode in ("1", "L", "LA", "La")
    has_alpha = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    image = image.convert("RGBA" if has_alpha else "RGB")
    width, height = image.size
    luma = np.empty((height, width), np.uint8)
    alpha = np.asarray(image.getchannel("A")).copy() if has_alpha else None
    for top, bottom in strips(height, width):
        luma[top:bottom] = _luma(np.asarray(image.crop((0, top, width, bottom)))[..., :3])
    small = image.convert("RGB").resize(_preview_size(width, height), Image.Resampling.BOX, reducing_gap=2.0)
    return Pixels(luma, np.asarray(small).copy(), alpha, grey=grey, upright=upright, converted=converted)


def _ffmpeg_frame(decoder: str, data: bytes, size: tuple[int, int]) -> av.VideoFrame | None:
    """The first frame that one FFmpeg decoder makes of the bytes: no demuxer, so nothing is guessed."""
    width, height = size
    max_pixels = (width + 64) * (height + 64)  # the header's size, rounded up to the decoder's blocks
    try:
        context = av.CodecContext.create(decoder, "r")
        assert isinstance(context, av.VideoCodecContext)
        context.options = {"max_pixels": str(max_pixels)}
        frames = [*context.decode(av.Packet(data)), *context.decode(None)]
    except (av.error.FFmpegError, ValueError, MemoryError):
        return None
    found = [frame for frame in frames if isinstance(frame, av.VideoFrame)]
    return found[0] if found else None


def _plane(frame: av.VideoFrame, index: int, dtype: Any, channels: int = 1) -> NDArray[Any]:
    """(h, w · channels) view of one plane without its row padding."""
    plane = frame.planes[index]
    wide = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return wide[:, : plane.width * channels * np.dtype(dtype).itemsize].view(dtype)


def _luma(rgb: NDArray[Any]) -> NDArray[Any]:
    """Rounded BT.601 luma of integer R′G′B′ ``(n, W, 3)``; the weights add up to 1, so grey stays itself."""
    wide = rgb.astype(np.uint32)
    return ((wide[..., 0] * 299 + wide[..., 1] * 587 + wide[..., 2] * 114 + 500) // 1000).astype(rgb.dtype)


def strips(height: int, width: int) -> Iterator[tuple[int, int]]:
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def _preview_size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, PREVIEW_SIDE / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def grey_preview(luma: NDArray[Any]) -> NDArray[np.uint8]:
    small = cv2.resize(luma, _preview_size(luma.shape[1], luma.shape[0]), interpolation=cv2.INTER_AREA)
    return np.repeat(_to_8_bits(small)[..., None], 3, axis=2)


def _to_8_bits(codes: NDArray[Any]) -> NDArray[np.uint8]:
    return (codes // 256 if codes.dtype == np.uint16 else codes).astype(np.uint8)


def _is_grey_balanced(image: Image.Image) -> bool:
    """Whether equal R′G′B′ is grey through the picture's profile, so that luma means what it should."""
    ramp = Image.frombytes("RGB", (3, 1), bytes((64, 64, 64, 128, 128, 128, 192, 192, 192)))
    ramp.info["icc_profile"] = image.info["icc_profile"]
    try:
        shown = np.asarray(_profile_to_srgb(ramp)).astype(np.int32)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return True  # no colour engine can use the profile, so viewers ignore it too
    return int(np.ptp(shown, axis=2).max()) <= _GREY_TOLERANCE


def _profile_to_srgb(image: Image.Image) -> Image.Image:
    """The picture converted with its own profile; keeps the format, which says whether it is upright."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    out = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert out is not None  # None only with inPlace
    return _like(out, image)


def _cmyk_to_srgb(image: Image.Image, warnings: list[str]) -> Image.Image:
    if profile_space(image.info.get("icc_profile", b"")) == "CMYK":
        try:
            out = _profile_to_srgb(image)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
        else:
            warnings.append("the CMYK picture was converted to sRGB with its own profile, which is not carried over")
            return out
    warnings.append("the CMYK picture was converted to sRGB without a usable profile: its lightness is approximate")
    return _like(image.convert("RGB"), image)


def _like(converted: Image.Image, original: Image.Image) -> Image.Image:
    converted.format = original.format
    return converted
