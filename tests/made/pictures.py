"""Small pictures: as arrays, and as the bytes of every format; what no installed library can encode is written byte by byte."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import skimage.data
import tifffile
from numpy.typing import NDArray
from PIL import Image


def grey(bits: int = 8, height: int = 48, width: int = 64) -> NDArray[Any]:
    """A ramp, different along each axis, so that no turn of it is itself; ``(H, W)``."""
    top = (1 << bits) - 1
    y, x = np.mgrid[0:height, 0:width]
    return (top * (0.1 + 0.5 * x / width + 0.3 * y / height)).astype(np.uint8 if bits <= 8 else np.uint16)


def texture(height: int, width: int, seed: int = 0, sigma: float = 3.0) -> NDArray[np.float32]:
    """Noise around 128 whose spots are about ``sigma`` pixels wide, ``(H, W)`` in 0…255: something that flow can follow."""
    noise = np.random.default_rng(seed).standard_normal((height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma)
    return np.clip(128 + 40 * smooth / smooth.std(), 0, 255)


def codes(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """The nearest codes of 8 bits."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def save_grey(path: Path, seed: int = 0, size: tuple[int, int] = (96, 64)) -> Path:
    """A file with a grey photograph of ``size`` (width, height), another one for each ``seed``; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.roll(skimage.data.camera(), 31 * seed, axis=1)).resize(size).save(path)
    return path


def with_channels(plane: NDArray[Any], channels: int) -> NDArray[Any]:
    """2 is grey with half-transparent alpha, 3 R′G′B′, 4 R′G′B′ with alpha."""
    samples = np.repeat(plane[..., None], channels, axis=2)
    if channels in (2, 4):
        samples[..., -1] = np.iinfo(plane.dtype).max // 2
    return samples


def pillow(kind: str, picture: NDArray[Any] | Image.Image, **options: Any) -> bytes:
    """A picture as Pillow writes it."""
    memory = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(memory, kind, **options)
    return memory.getvalue()


def tiff(samples: NDArray[Any], **options: Any) -> bytes:
    """A picture as tifffile writes it; several with another first axis are pages."""
    memory = io.BytesIO()
    tifffile.imwrite(memory, samples, **options)
    return memory.getvalue()


def damaged_fax() -> bytes:
    """CCITT group 4, whose lines depend on each other: behind the damage all are scrambled. libtiff tells, Pillow goes on."""
    dots = np.random.default_rng(1).integers(0, 2, (300, 400)) > 0
    data = bytearray(pillow("TIFF", dots, compression="group4"))
    data[2000] ^= 0xFF
    return bytes(data)


def png_chunk(name: bytes, body: bytes) -> bytes:
    """One chunk with its length and checksum."""
    return struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body))


def png(samples: NDArray[Any], depth: int, color_type: int, *extra: tuple[bytes, bytes]) -> bytes:
    """PNG of any depth and colour type (0 grey, 2 R′G′B′, 3 palette, 4 grey with alpha, 6 with alpha)."""
    height, width = samples.shape[:2]
    lines = b""
    for row in samples.reshape(height, -1):
        if depth >= 8:
            line = row.astype(">u2" if depth == 16 else "u1").tobytes()
        else:
            line = np.packbits((row[:, None] >> np.arange(depth - 1, -1, -1)) & 1).tobytes()
        lines += b"\0" + line
    header = struct.pack(">LLBBBBB", width, height, depth, color_type, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def _directory(
    entries: Mapping[int, tuple[int, Any]], start: int, pixels: bytes = b"", offsets_tag: int = 273
) -> bytes:
    """A little-endian TIFF directory at ``start``, its values and the pixels behind it."""
    codes = {1: "B", 2: "s", 3: "H", 4: "L", 5: "LL", 10: "ll"}
    behind = start + 2 + 12 * (len(entries) + 1) + 4
    values = b""
    rows = []
    for tag, (kind, value) in entries.items():
        items = [value] if isinstance(value, (int, bytes)) else list(value)
        if kind == 2:
            packed, count = items[0] + b"\0", len(items[0]) + 1
        else:
            size = 2 if kind in (5, 10) else 1
            count = len(items) // size
            packed = struct.pack(f"<{len(items)}{codes[kind][0]}", *items)
        if len(packed) > 4:
            field = struct.pack("<L", behind + len(values))
            values += packed + b"\0" * (len(packed) % 2)
        else:
            field = packed.ljust(4, b"\0")
        rows.append((tag, struct.pack("<HHL", tag, kind, count) + field))
    rows.append((offsets_tag, struct.pack("<HHLL", offsets_tag, 4, 1, behind + len(values))))
    return struct.pack("<H", len(rows)) + b"".join(row for _, row in sorted(rows)) + bytes(4) + values + pixels


def dng(scene: NDArray[np.uint16], orientation: int = 1) -> bytes:
    """An uncompressed Bayer DNG of a grey scene ``(H, W)`` in linear 16-bit light (DNG 1.4)."""
    height, width = scene.shape
    entries: dict[int, tuple[int, Any]] = {
        254: (4, 0),
        256: (4, width),
        257: (4, height),
        258: (3, 16),
        259: (3, 1),
        262: (3, 32803),  # colour filter array
        271: (2, b"Maker"),
        272: (2, b"Camera"),
        274: (3, orientation),
        277: (3, 1),
        278: (4, height),
        279: (4, scene.size * 2),
        284: (3, 1),
        306: (2, b"2001:02:03 04:05:06"),
        33421: (3, (2, 2)),
        33422: (1, (0, 1, 1, 2)),
        50706: (1, (1, 4, 0, 0)),
        50707: (1, (1, 1, 0, 0)),
        50708: (2, b"Maker Camera"),
        50714: (4, 0),
        50717: (4, 65535),
        50721: (10, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1)),  # XYZ → camera
        50728: (5, (1, 1, 1, 1, 1, 1)),  # neutral
        50778: (3, 21),
    }
    return b"II*\0\x08\0\0\0" + _directory(entries, 8, scene.astype("<u2").tobytes())


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">L", len(body) + 8) + kind + body


def _full(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">L", version << 24 | flags), *parts)


def _hevc(luma: NDArray[Any], bits: int) -> tuple[bytes, bytes]:
    """(hvcC box, coded picture) of one intra frame of a grey picture with sides of multiples of 16."""
    form = "yuvj420p" if bits == 8 else "yuv420p10le"
    frame = av.VideoFrame(luma.shape[1], luma.shape[0], "yuv420p" if bits == 8 else form)
    for number, plane in enumerate(frame.planes):
        rows = np.frombuffer(plane, np.uint8 if bits == 8 else np.uint16).reshape(plane.height, -1)
        rows[:] = 1 << (bits - 1)
        if number == 0:
            rows[:, : plane.width] = luma
    memory = io.BytesIO()
    with av.open(memory, "w", format="mp4") as container:
        settings = {"x265-params": "log-level=none:lossless=1:keyint=1:range=full:info=0:pools=1:frame-threads=1"}
        stream: Any = container.add_stream("libx265", rate=1, options={**settings, "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = luma.shape[1], luma.shape[0], frame.format.name
        stream.codec_context.color_range = 2
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = memory.getvalue()
    at = data.index(b"hvcC") - 4
    with av.open(io.BytesIO(data)) as film:
        packet = next(packet for packet in film.demux(video=0) if packet.size)
    return data[at : at + struct.unpack_from(">L", data, at)[0]], bytes(packet)


def heic(
    luma: NDArray[Any],
    *,
    bits: int = 8,
    tile: int = 0,
    turns: int = 0,
    mirror: int | None = None,
    exif: bytes = b"",
    xmp: bytes = b"",
    brand: bytes = b"heic",
    gain_map: bool = False,
) -> bytes:
    """HEIC (ISO/IEC 23008-12) of a grey picture; sides are multiples of 16.

    ``tile`` cuts it into tiles of this side, as phones do; ``turns`` quarter turns anticlockwise and ``mirror`` (0 upside
    down, 1 left to right) are to be applied by the reader.
    """
    height, width = luma.shape
    side_h, side_w = (tile, tile) if tile else (height, width)
    pieces = [luma[y : y + side_h, x : x + side_w] for y in range(0, height, side_h) for x in range(0, width, side_w)]
    coded = [_hevc(np.ascontiguousarray(piece), bits) for piece in pieces]
    properties = [coded[0][0], _full(b"ispe", struct.pack(">LL", side_w, side_h))]
    properties += [_full(b"ispe", struct.pack(">LL", width, height))]
    properties += [_full(b"pixi", bytes((3, bits, bits, bits)))]
    properties += [_box(b"colr", b"nclx", struct.pack(">HHHB", 1, 13, 6, 0x80))]
    seen = [3 if tile else 2, 4, 5]
    if turns:
        properties.append(_box(b"irot", bytes((turns,))))
        seen.append(len(properties))
    if mirror is not None:
        properties.append(_box(b"imir", bytes((mirror,))))
        seen.append(len(properties))
    items: list[tuple[int, bytes, bytes, bytes]] = []  # number, type, more of its infe, data
    links: list[tuple[int, list[int]]] = []  # item, its properties
    references = b""
    if tile:
        grid = struct.pack(">BBBBHH", 0, 0, -(-height // tile) - 1, -(-width // tile) - 1, width, height)
        items.append((1, b"grid", b"\0", grid))
        links.append((1, seen))
        parts = range(2, 2 + len(pieces))
        for number, (_, data) in zip(parts, coded, strict=True):
            items.append((number, b"hvc1", b"\0", data))
            links.append((number, [1, 2]))
        references += _box(b"dimg", struct.pack(f">HH{len(pieces)}H", 1, len(pieces), *parts))
    else:
        items.append((1, b"hvc1", b"\0", coded[0][1]))
        links.append((1, [1, *seen]))
    if gain_map:
        properties.append(_full(b"auxC", b"urn:com:apple:photo:2020:aux:hdrgainmap\0"))
        items.append((40, b"hvc1", b"\0", coded[0][1]))
        links.append((40, [1, 2, len(properties)]))
        references += _box(b"auxl", struct.pack(">HHH", 40, 1, 1))
    if exif:
        items.append((50, b"Exif", b"\0", struct.pack(">L", 6) + b"Exif\0\0" + exif))
        references += _box(b"cdsc", struct.pack(">HHH", 50, 1, 1))
    if xmp:
        items.append((51, b"mime", b"\0application/rdf+xml\0", xmp))
        references += _box(b"cdsc", struct.pack(">HHH", 51, 1, 1))
    hidden = {number for number, *_ in items if number > 1 and tile and number < 40}
    infos = b"".join(
        _full(b"infe", struct.pack(">HH", number, 0), kind, more, version=2, flags=int(number in hidden))
        for number, kind, more, _ in items
    )
    said = b"".join(struct.pack(">HB", number, len(which)) + bytes(which) for number, which in links)

    def meta(start: int) -> bytes:
        places, at = b"", start
        for number, _, _, data in items:
            places += struct.pack(">HHHLL", number, 0, 1, at, len(data))
            at += len(data)
        return _full(
            b"meta",
            _full(b"hdlr", struct.pack(">L4sLLL", 0, b"pict", 0, 0, 0) + b"\0"),
            _full(b"pitm", struct.pack(">H", 1)),
            _full(b"iloc", b"\x44\0" + struct.pack(">H", len(items)) + places),
            _full(b"iinf", struct.pack(">H", len(items)) + infos),
            _full(b"iref", references) if references else b"",
            _box(b"iprp", _box(b"ipco", *properties), _full(b"ipma", struct.pack(">L", len(links)) + said)),
        )

    head = _box(b"ftyp", brand + bytes(4) + b"mif1heic")
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + _box(b"mdat", *(data for *_, data in items))


def avif(luma: NDArray[np.uint16]) -> bytes:
    """A 10-bit AVIF of a grey picture in codes of 10 bits."""
    frame = av.VideoFrame(luma.shape[1], luma.shape[0], "yuv420p10le")
    for number, plane in enumerate(frame.planes):
        rows = np.frombuffer(plane, np.uint16).reshape(plane.height, -1)
        rows[:] = 512
        if number == 0:
            rows[:, : plane.width] = luma
    memory = io.BytesIO()
    os.environ.setdefault("SVT_LOG", "1")  # as the tool itself: the library reads it once a process
    with av.open(memory, "w", format="avif") as container:
        stream: Any = container.add_stream("libsvtav1", rate=1, options={"crf": "5", "preset": "8"})
        stream.width, stream.height, stream.pix_fmt = luma.shape[1], luma.shape[0], "yuv420p10le"
        stream.codec_context.color_range = 2
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return memory.getvalue()


def ffmpeg_still(codec: str, pix_fmt: str, codes: NDArray[Any]) -> bytes:
    """A grey picture ``(H, W)`` as one of FFmpeg's encoders writes it, with equal channels."""
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = codes.shape[1], codes.shape[0], pix_fmt
    context.time_base = Fraction(1, 25)
    frame = av.VideoFrame(codes.shape[1], codes.shape[0], pix_fmt)
    dtype = "u1" if codes.dtype == np.uint8 else ">u2" if pix_fmt.endswith("be") else "<u2"
    for plane in frame.planes:
        channels = len(frame.format.components) if len(frame.planes) == 1 else 1
        rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)
        rows[:, : codes.shape[1] * channels] = np.repeat(codes, channels, axis=1)
    return b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))


def psd(samples: NDArray[Any], mode: int = 0) -> bytes:
    """A flat Photoshop file of ``(H, W, channels)`` in 8 or 16 bits; ``mode`` 1 is grey, 3 R′G′B′ (0: by the channels)."""
    height, width, channels = samples.shape
    deep = samples.dtype == np.uint16
    mode = mode or (1 if channels == 1 else 3)
    head = struct.pack(">4sH6xHLLHH", b"8BPS", 1, channels, height, width, 16 if deep else 8, mode)
    planes = np.moveaxis(samples, 2, 0).astype(">u2" if deep else "u1").tobytes()
    return head + bytes(4) + bytes(4) + bytes(4) + b"\0\0" + planes


def several_pages(order: str = "<", *, big: bool = False) -> bytes:
    """A TIFF of three pages: 16-bit grey, colour, bilevel fax of another size; each has a description of its own."""
    memory = io.BytesIO()
    color = np.asarray(Image.fromarray(skimage.data.coffee()).resize((64, 48)))
    with tifffile.TiffWriter(memory, byteorder=order, bigtiff=big) as writer:  # type: ignore[arg-type]
        writer.write(grey(16), tile=(32, 32), description="first", metadata=None)
        writer.write(color, photometric="rgb", rowsperstrip=7, compression="zlib", description="second", metadata=None)
        writer.write(grey()[:, :40] > 90, description="third", metadata=None)
    return memory.getvalue()
