"""Colour profiles: grey ones of several curves, and one whose equal channels are not grey."""

from __future__ import annotations

import struct


def grey_profile(curve: bytes) -> bytes:
    """A minimal GRAY display profile (ICC.1:2010 §8.4.3) with this kTRC."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3l", 63190, 65536, 54061)  # D50, s15Fixed16
    text = b"desc\0\0\0\0" + struct.pack(">L", 5) + b"grey\0" + bytes(8 + 2 + 1 + 67)
    right = b"text\0\0\0\0none\0"
    tags, body = [], b""
    for name, value in ((b"desc", text), (b"wtpt", white), (b"kTRC", curve), (b"cprt", right)):
        tags.append(name + struct.pack(">LL", 128 + 4 + 4 * 12 + len(body), len(value)))
        body += value + b"\0" * (-len(value) % 4)
    table = struct.pack(">L", len(tags)) + b"".join(tags)
    head = bytearray(128)
    struct.pack_into(">L", head, 0, 128 + len(table) + len(body))
    head[8:12], head[12:16], head[16:20], head[20:24] = b"\x02\x40\0\0", b"mntr", b"GRAY", b"XYZ "
    head[36:40] = b"acsp"
    struct.pack_into(">3l", head, 68, 63190, 65536, 54061)
    return bytes(head) + table + body


GAMMA_10 = b"curv\0\0\0\0" + struct.pack(">L", 0)
GAMMA_18 = b"curv\0\0\0\0" + struct.pack(">LH", 1, round(1.8 * 256))
DOT_GAIN = b"curv\0\0\0\0" + struct.pack(">L256H", 256, *(round(65535 * (i / 255) ** 1.75) for i in range(256)))
SRGB_LIKE = b"para\0\0\0\0" + struct.pack(
    ">HH5l", 3, 0, *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)


def crooked_profile() -> bytes:
    """An RGB matrix profile whose channels have different curves, so that R = G = B is not grey."""

    def xyz(x: float, y: float, z: float) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3l", round(x * 65536), round(y * 65536), round(z * 65536))

    def gamma(value: float) -> bytes:
        return b"curv\0\0\0\0" + struct.pack(">LH", 1, round(value * 256)) + b"\0\0"

    values = {b"rXYZ": xyz(0.436, 0.222, 0.014), b"gXYZ": xyz(0.385, 0.717, 0.097), b"bXYZ": xyz(0.143, 0.061, 0.714)}
    values |= {b"rTRC": gamma(1.0), b"gTRC": gamma(2.2), b"bTRC": gamma(4.0), b"wtpt": xyz(0.9642, 1.0, 0.8249)}
    table, body = struct.pack(">L", len(values)), b""
    for name, value in values.items():
        table += name + struct.pack(">LL", 128 + 4 + 12 * len(values) + len(body), len(value))
        body += value
    head = bytearray(grey_profile(GAMMA_10)[:128])
    struct.pack_into(">L", head, 0, 128 + len(table) + len(body))
    head[16:20] = b"RGB "
    return bytes(head) + table + body
