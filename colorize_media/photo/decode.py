"""Decode a photograph from bytes with the decoder that loses nothing, and refuse what would be lost or is cut.

Decoders: FFmpeg (through PyAV, from memory, never by file name) where it keeps what Pillow would lose, which is a
colour JPEG's own Y plane and 16 bits per channel of PNG and JPEG 2000; libtiff (through OpenCV) for 16-bit TIFF; Pillow for
everything else and wherever they disagree.

What counts as damaged: a picture is whole only if the strict decoder of its format reads it to its end. For JPEG that
is libjpeg (FFmpeg fills what is missing with grey and says nothing), which is asked for the whole stream at 1/8 size; a
file that stops before its end marker is refused even if only the last rows are missing. A colour version of half a
picture must not look like success.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, features

from colorize_media.color.planes import plane_rows
from colorize_media.color.scaling import averaged_down
from colorize_media.errors import DamagedMedia, NoPicture, UnsupportedMedia
from colorize_media.files.boxes import AVIF_BRANDS, av1_bits, brands, picture_sizes, transfer
from colorize_media.files.first_bytes import begins_like
from colorize_media.files.formats import FORMAT_SUFFIXES
from colorize_media.metadata.exif import exif_orientation
from colorize_media.metadata.icc import profile_space
from colorize_media.metadata.jpeg import jpeg_segments
from colorize_media.metadata.tiff import tiff_orientation
from colorize_media.metadata.tiff_pages import tag_bytes
from colorize_media.photo.deep import (
    DECODER_ERRORS,
    avif_samples,
    deep_ffmpeg,
    deep_ppm,
    deep_ppm_head,
    deep_tiff,
    ffmpeg_frame,
)
from colorize_media.photo.pixels import (
    HDR_TRANSFERS,
    Pixels,
    grey_preview,
    luma_of,
    planes_of_samples,
    preview_size,
    strips,
)
from colorize_media.photo.refusals import check_size, damaged, high_dynamic_range, out_of_memory, unsupported

_GREY_TOLERANCE = 12  # codes of 255 between R, G and B; scanner profiles reach 5, XYB has over 100
_DECODERS_DIFFER = 6.0  # mean codes of 255 between FFmpeg's and libjpeg's luma at 1/8; two good decoders stay under 1


_ALIASES = {"MPO": "JPEG", "DIB": "BMP"}
_FFMPEG_DECODERS = {"PNG": "png", "JPEG2000": "jpeg2000"}
_AVIF_MOST_PIXELS, _AVIF_MOST_SIDE = 16384 * 16384, 32768  # libavif's own limits
_DEEP = frozenset({"PNG", "JPEG2000", "TIFF", "PPM"})


def format_name(image: Image.Image) -> str:
    """The format by content, one of FORMAT_SUFFIXES if it can be read."""
    return _ALIASES.get(image.format or "", image.format or "")


def open_picture(path: Path, data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data))
    except (*DECODER_ERRORS, OverflowError) as problem:
        raise _unidentified(path, data) from problem


def _unidentified(path: Path, data: bytes) -> NoPicture | DamagedMedia | UnsupportedMedia:
    """The error for a file that Pillow cannot open at all."""
    if brands(data)[0] in AVIF_BRANDS and features.check("avif"):
        return _no_avif(path, data)
    known = begins_like(data[:32])
    if known is not None and known.format == "WEBP":
        return damaged(path, "the WebP header cannot be read")
    if _has_directory(data):
        why = f"TIFF pixels of this layout cannot be read: {_tiff_layout(data)}"
        return unsupported(path, why, "save it as a plain 8-bit or 16-bit TIFF, grey or RGB")
    if why := strange_jpeg(data):
        return unsupported(path, why, "convert it to an ordinary JPEG or to PNG first")
    if known is not None and known.title:
        return damaged(path, f"it begins like {known.title}, but its header cannot be read")
    if b"<svg" in data[:1024]:
        return unsupported(path, "it is a vector drawing (SVG)", "export it as PNG first")
    return NoPicture(
        "there is no picture in the file",
        path=path,
        why="its content is none of the known picture formats, whatever its name says",
        hint="open it in a viewer to see what it is",
    )


def _no_avif(path: Path, data: bytes) -> DamagedMedia | UnsupportedMedia:
    """libavif does not even begin with a picture that it calls too large."""
    width, height = max(picture_sizes(data), key=lambda size: size[0] * size[1], default=(0, 0))
    if width * height > _AVIF_MOST_PIXELS or max(width, height) > _AVIF_MOST_SIDE:
        return UnsupportedMedia(
            "the picture is too large",
            path=path,
            why=f"{width} × {height} pixels are more than the AVIF decoder takes",
            hint="convert it to PNG, or make it smaller, in another program",
        )
    return damaged(path, "it begins like AVIF, but cannot be decoded")


def strange_jpeg(data: bytes) -> str:
    """Why a whole JPEG cannot be read: its frame header (T.81 B.2.2) asks for more than 8 bits or for lossless coding."""
    if not data.startswith(b"\xff\xd8"):
        return ""
    for marker, payload in jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and payload:
            if marker in (0xC3, 0xC7, 0xCB, 0xCF):
                return "it is a lossless JPEG, which cannot be read"
            return f"its {payload[0]} bits per channel cannot be read" if payload[0] != 8 else ""
    return "it is a JPEG-LS, which cannot be read" if b"\xff\xf7" in data[:1000] else ""


def _has_directory(data: bytes) -> bool:
    try:
        exif_orientation(data)
    except ValueError:
        return False
    return True


def _tiff_layout(data: bytes) -> str:
    """What the first directory says of the samples, in words (TIFF 6.0: BitsPerSample, SampleFormat, Compression)."""
    bits, formats, packing = (_shorts(data, tag) for tag in (258, 339, 259))
    kinds = {2: "signed integers", 3: "floating point", 5: "complex integers", 6: "complex floating point"}
    kind = kinds.get(formats[0] if formats else 1, "unsigned integers")
    said = f"{len(bits) or 1} × {max(bits, default=1)} bits, {kind}"
    return said if packing in ((), (1,)) else f"{said}, compression {packing[0]}"


def _shorts(data: bytes, tag: int) -> tuple[int, ...]:
    found = tag_bytes(data, tag)
    return struct.unpack(f"{'<' if data[:2] == b'II' else '>'}{len(found) // 2}H", found[: len(found) // 2 * 2])


def _in_plain_words(problem: BaseException) -> str:
    """Pillow's reasons are for programmers: "decoder error -2", "image file is truncated (0 bytes not processed)"."""
    said = str(problem)
    if "truncated" in said.lower():
        return "it is truncated: the file ends before its picture does"
    if said.startswith("decoder error"):
        return "its pixels cannot be decoded"
    if "data stream" in said:
        return "its compressed pixels make no sense from some point on"
    return said or type(problem).__name__


def check(path: Path, image: Image.Image, data: bytes, max_pixels: int) -> None:
    """Refuse from the header alone what is too large or would lose something."""
    name, (width, height) = image.format or "", image.size
    check_size(path, width, height, max_pixels)
    if format_name(image) not in FORMAT_SUFFIXES:
        raise unsupported(path, f"its format is {name}", "convert it to PNG or TIFF first")
    if name not in ("MPO", "TIFF") and _other_frames(path, image):
        raise unsupported(
            path, "it holds several frames, and only one could be written", "convert the animation to a video first"
        )
    deep = {"F": "floating point", "I": "32-bit integer", "LAB": "Lab"}
    if image.mode in deep and not (name == "PPM" and image.mode == "I"):
        raise unsupported(path, f"its pixels are {deep[image.mode]}", "convert it to 16-bit PNG or TIFF first")
    if name == "AVIF" and transfer(data) in HDR_TRANSFERS:
        raise high_dynamic_range(path)


def _other_frames(path: Path, image: Image.Image) -> bool:
    try:
        return int(getattr(image, "n_frames", 1)) > 1
    except DECODER_ERRORS as problem:
        raise damaged(path, f"its frames cannot be counted: {problem}") from problem


def warnings_about(path: Path, image: Image.Image, name: str, data: bytes) -> list[str]:
    found: list[str] = []
    expected = next((known for known, suffixes in FORMAT_SUFFIXES.items() if path.suffix.lower() in suffixes), name)
    if expected != name:
        found.append(f"the file is named {path.suffix} but its content is {name}")
    if image.format == "MPO":
        found.append("the camera's further pictures inside the file (MPO) are not carried over")
    return found


def decode(path: Path, image: Image.Image, name: str, data: bytes, warnings: list[str]) -> Pixels:
    """Planes by the best decoder for the file. Raises DamagedMedia and UnsupportedMedia."""
    turned = tiff_orientation(image) != 1
    try:
        depth = _declared_bits(image, data)
        if name == "AVIF":
            return _avif_planes(image, data, depth, warnings)
        if depth > 8 and depth != 16 and not (name == "PPM" and image.mode == "I"):
            raise unsupported(
                path, f"its {depth} bits per channel cannot be read", "convert it to 16-bit PNG or TIFF first"
            )
        strange = profile_space(image.info.get("icc_profile", b"")) == "RGB" and not _is_grey_balanced(image)
        if strange and (depth > 8 or image.mode != "RGB"):
            raise unsupported(path, "equal R, G and B are not grey in its colour profile", "convert it to sRGB first")
        # libjpeg decodes a grey JPEG's plane strictly and as it is; for Y of a colour one it must be asked twice.
        if name == "JPEG" and image.mode != "L" and not strange:
            pixels = _jpeg_planes(data, image.size)
            if pixels is not None:
                return pixels
        deep = depth > 8 and name in _DEEP and not (name == "PPM" and image.mode == "I")
        if not (deep and name == "TIFF"):  # libtiff is as strict with those
            image.load()  # the strict decoder: what it cannot read to the end is damaged
        if deep:
            return _deep_planes(path, image, name, data, turned)
        if strange:
            warnings.append("its colour profile is not one of a display: converted to sRGB, and not carried over")
            return _pillow_planes(_profile_to_srgb(image), warnings, converted=True)
        if image.mode == "CMYK":
            return _pillow_planes(_cmyk_to_srgb(image, warnings), warnings, converted=True)
        return _pillow_planes(image, warnings)
    except DECODER_ERRORS as problem:
        if name == "JPEG" and (why := strange_jpeg(data)):
            raise unsupported(path, why, "convert it to an ordinary JPEG or to PNG first") from problem
        raise damaged(path, _in_plain_words(problem)) from problem
    except MemoryError as problem:
        raise out_of_memory(path) from problem


def _declared_bits(image: Image.Image, data: bytes) -> int:
    """Bits per channel as the file says; Pillow's mode hides that 16-bit R′G′B′ is cut to 8."""
    if image.format == "PNG":
        return data[24] if data[12:16] == b"IHDR" else 8
    if image.format == "TIFF":
        bits = image.tag_v2.get(258, 1)  # type: ignore[attr-defined]
        return max(bits) if isinstance(bits, tuple) else int(bits)
    if image.format == "AVIF":
        return av1_bits(data)
    if image.format == "JPEG2000":
        at = data.find(b"\xff\x51")  # SIZ; its first component's depth − 1 is at offset 40 (T.800 A.5.1)
        return (data[at + 40] & 0x7F) + 1 if 0 <= at < len(data) - 40 else 8
    return 16 if image.mode.startswith("I") or (image.format == "PPM" and deep_ppm_head(data)) else 8


def _jpeg_planes(data: bytes, size: tuple[int, int]) -> Pixels | None:
    """A colour JPEG's own Y plane; None where FFmpeg has no Y′CbCr or disagrees with libjpeg; OSError if it is cut."""
    with Image.open(io.BytesIO(data)) as check:
        check.draft("L", (1, 1))  # 1/8 size: the whole stream is read, only the averages are decoded
        check.load()
        small = np.asarray(check.convert("L"))
    frame = ffmpeg_frame("mjpeg", data, size)
    if frame is None or (frame.width, frame.height) != size:
        return None
    if frame.format.name not in ("yuvj420p", "yuvj422p", "yuvj444p", "yuvj440p", "yuvj411p"):
        return None
    planes = [plane_rows(plane, "u1")[:, : plane.width] for plane in frame.planes]
    if _differ(planes[0], small):
        return None
    w, h = preview_size(*size)
    y, cb, cr = (_sized(plane, (w, h)) for plane in planes)
    preview = np.ascontiguousarray(cv2.cvtColor(cv2.merge((y, cr, cb)), cv2.COLOR_YCrCb2RGB))
    return Pixels(planes[0].copy(), preview.astype(np.uint8, copy=False))


def _differ(luma: NDArray[np.uint8], small: NDArray[np.uint8]) -> bool:
    """Whether two decoders differ; ``small`` is the other's luma at 1/8: the means of blocks of 8 × 8, cut ones too."""
    height, width = luma.shape[0] // 8, luma.shape[1] // 8
    if not height or not width:
        return False
    means = cv2.resize(luma[: 8 * height, : 8 * width], (width, height), interpolation=cv2.INTER_AREA)
    return float(cv2.absdiff(means, small[:height, :width]).mean()) > _DECODERS_DIFFER


def _sized(plane: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A plane at the preview's size: chroma planes of a small picture are smaller."""
    if plane.shape[1] >= size[0] and plane.shape[0] >= size[1]:
        return averaged_down(plane, size)
    enlarged: NDArray[Any] = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    return enlarged


def _avif_planes(image: Image.Image, data: bytes, depth: int, warnings: list[str]) -> Pixels:
    """Pillow hands out 8 bits; a deeper picture in one piece and without alpha is FFmpeg's."""
    image.load()
    if depth > 8:
        samples = avif_samples(data, image.size) if image.mode == "RGB" else None
        if samples is not None:
            return planes_of_samples(samples)
        what = f"the {depth}-bit picture is read with 8 bits per channel"
        warnings.append(f"{what} (converted to a 16-bit PNG or TIFF first, it keeps them)")
    return _pillow_planes(image, warnings)


def _deep_planes(path: Path, image: Image.Image, name: str, data: bytes, turned: bool) -> Pixels:
    """16-bit planes by a decoder that keeps them; by Pillow for one grey channel."""
    tags = getattr(image, "tag_v2", {})
    if name == "TIFF":
        # OpenCV turns pictures by a tag that only a classic file can be rid of.
        big = data[2:4] not in (b"*\0", b"\0*")
        samples = None if turned and big else deep_tiff(path, tags, data)
        if samples is None or tags.get(284) == 2:  # not libtiff's; see `deep_tiff`
            image.load()
    elif name == "PPM":
        samples = deep_ppm(data)
    else:
        samples = deep_ffmpeg(_FFMPEG_DECODERS[name], data, image.size)
    if samples is None:
        if image.mode.startswith("I;16"):
            return _pillow_planes(image, [])
        raise unsupported(
            path, f"this layout of {name} with 16 bits cannot be read", "convert it to a plain 16-bit PNG"
        )
    if samples.shape[2] in (2, 4) and tags.get(338) in (1, (1,)):  # associated: multiplied by its alpha
        for top, bottom in strips(*samples.shape[:2]):
            rows = samples[top:bottom].astype(np.float64)
            plain = np.divide(rows[..., :-1] * 65535.0, rows[..., -1:], out=rows[..., :-1], where=rows[..., -1:] > 0)
            samples[top:bottom, :, :-1] = np.minimum(np.rint(plain), 65535.0).astype(np.uint16)
    return planes_of_samples(samples)


def _pillow_planes(image: Image.Image, warnings: list[str], *, converted: bool = False) -> Pixels:
    """Planes of a loaded image of any mode with 8 bits, or one channel of 16."""
    upright = getattr(image, "format", "") == "TIFF"  # Pillow applies a TIFF's orientation when it loads
    if image.mode.startswith("I"):
        deep = np.ascontiguousarray(np.asarray(image)).astype(np.uint16)
        return Pixels(deep, grey_preview(deep), grey=True, upright=upright)
    if image.mode == "La":  # Pillow converts it to nothing else
        image = _like(image.convert("LA"), image)
    if image.mode in ("1", "L") and "transparency" not in image.info:
        codes = np.asarray(image if image.mode == "L" else image.convert("L"))
        return Pixels(codes, grey_preview(codes), grey=True, upright=upright)
    grey = image.mode in ("1", "L", "LA", "La")
    has_alpha = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    mode = "RGBA" if has_alpha else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    width, height = image.size
    luma = np.empty((height, width), np.uint8)
    alpha = np.asarray(image.getchannel("A")).copy() if has_alpha else None
    for top, bottom in strips(height, width):
        luma[top:bottom] = luma_of(np.asarray(image.crop((0, top, width, bottom)))[..., :3])
    plain = image.convert("RGB") if has_alpha else image
    small = plain.resize(preview_size(width, height), Image.Resampling.BOX, reducing_gap=2.0)
    return Pixels(luma, np.asarray(small).copy(), alpha, grey=grey, upright=upright, converted=converted)


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
