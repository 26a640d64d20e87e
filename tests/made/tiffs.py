"""TIFF files of any depth and layout, written byte by byte, so that no library's own writer hides what its reader gets wrong.

Source: TIFF 6.0, its technical notes on Deflate, and libtiff's numbers for LZMA and Zstandard.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

GREY, RGB = (1, 2)
PACKINGS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (1, lambda data: data),
    "lzw": (5, imagecodecs.lzw_encode),
    "deflate": (8, imagecodecs.zlib_encode),
    "packbits": (32773, imagecodecs.packbits_encode),
    "lzma": (34925, imagecodecs.lzma_encode),
    "zstd": (50000, imagecodecs.zstd_encode),
}


def written_tiff(
    samples: NDArray[Any],
    bits: int,
    *,
    packing: str = "none",
    planar: bool = False,
    rows: int = 7,
    tile: int = 0,
    order: str = "<",
    predicted: bool = False,
    photometric: int | None = None,
    extra: tuple[int, ...] | None = None,
    fill_order: int = 1,
    tags: tuple[tuple[int, int, tuple[int, ...] | bytes], ...] = (),
) -> bytes:
    """A TIFF of codes ``(H, W, channels)`` of ``bits`` each, in strips of ``rows`` or tiles of a side (a multiple of 16).

    ``tags`` are more of them: (number, type, values). ``extra`` is ExtraSamples; None leaves it out.
    """
    height, width, channels = samples.shape
    if photometric is None:
        photometric = RGB if channels >= 3 else GREY
    number, pack = PACKINGS[packing]
    chunks = [
        pack(_turned(_packed(_differences(chunk) if predicted else chunk, bits, order), fill_order))
        for chunk in _chunks(samples, planar, rows, tile)
    ]
    entries: dict[int, tuple[int, tuple[int, ...] | bytes]] = {
        256: (4, (width,)),
        257: (4, (height,)),
        258: (3, (bits,) * channels),
        259: (3, (number,)),
        262: (3, (photometric,)),
        266: (3, (fill_order,)),
        277: (3, (channels,)),
        284: (3, (2 if planar else 1,)),
        **({322: (3, (tile,)), 323: (3, (tile,))} if tile else {278: (3, (rows,))}),
        **({317: (3, (2,))} if predicted else {}),
        **({338: (3, extra)} if extra is not None else {}),
        **{tag: (type_, values) for tag, type_, values in tags},
    }
    places, out = [], bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    for chunk in chunks:
        places.append(len(out))
        out += chunk + b"\0" * (len(chunk) % 2)
    entries[324 if tile else 273] = (4, tuple(places))
    entries[325 if tile else 279] = (4, tuple(len(chunk) for chunk in chunks))
    fields = b""
    for tag, (type_, values) in sorted(entries.items()):
        value = values if isinstance(values, bytes) else struct.pack(f"{order}{len(values)}{' BsHL'[type_]}", *values)
        field = value.ljust(4, b"\0")
        if len(value) > 4:
            field = struct.pack(f"{order}L", len(out))
            out += value + b"\0" * (len(value) % 2)
        fields += struct.pack(f"{order}HHL", tag, type_, len(values)) + field
    struct.pack_into(f"{order}L", out, 4, len(out))
    return bytes(out + struct.pack(f"{order}H", len(entries)) + fields + bytes(4))


def _chunks(samples: NDArray[Any], planar: bool, rows: int, tile: int) -> Iterator[NDArray[Any]]:
    """``(h, w, c)`` pieces in the order of TIFF; tiles are filled up."""
    height, width, channels = samples.shape
    for plane in [samples[..., c : c + 1] for c in range(channels)] if planar else [samples]:
        if not tile:
            yield from (plane[top : top + rows] for top in range(0, height, rows))
            continue
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                piece = plane[top : top + tile, left : left + tile]
                yield np.pad(piece, ((0, tile - piece.shape[0]), (0, tile - piece.shape[1]), (0, 0)), "edge")


def _differences(chunk: NDArray[Any]) -> NDArray[Any]:
    delta = chunk.copy()
    delta[:, 1:] -= chunk[:, :-1]
    return delta


def _packed(chunk: NDArray[Any], bits: int, order: str) -> bytes:
    """8 and 16 bits in the file's order of bytes, others bit by bit from the highest on; each row begins on a byte."""
    if bits in (8, 16):
        return chunk.astype("u1" if bits == 8 else f"{order}u2").tobytes()
    line = chunk.reshape(len(chunk), -1, 1).astype(np.uint16)
    return np.packbits(
        ((line >> np.arange(bits - 1, -1, -1)) & 1).reshape(len(chunk), -1).astype(np.uint8), 1
    ).tobytes()


def _turned(data: bytes, fill_order: int) -> bytes:
    """The bits of each byte the other way round, where FillOrder says so."""
    if fill_order == 1:
        return data
    return np.packbits(np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")).tobytes()
