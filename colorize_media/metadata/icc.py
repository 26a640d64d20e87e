"""ICC profiles: what space they are for, and the grey ones evaluated. Source: ICC.1:2010 §8 and §10."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from colorize_media.color.spaces import linear_to_srgb


def profile_space(icc: bytes) -> str:
    """The colour space of the pixels that a profile is for: RGB, GRAY, CMYK, Lab …; empty for no profile."""
    return icc[16:20].decode("latin-1").strip() if len(icc) >= 128 and icc[36:40] == b"acsp" else ""


def grey_codes_as_srgb(icc: bytes, bits: int) -> NDArray[Any]:
    """Table from the codes of a GRAY profile to full-range sRGB grey codes of the same lightness, ``(2^bits,)``.

    Evaluates the profile's grey curve (ICC.1:2010 §8.4, §10.5 curveType, §10.16 parametricCurveType) in double
    precision, so 16-bit pictures keep their depth. Raises ValueError where the profile has no such curve.
    """
    codes = (1 << bits) - 1
    device = np.linspace(0.0, 1.0, codes + 1)
    out = _tone_curve(icc, device)
    if icc[20:24] == b"Lab ":  # the curve gives L*/100
        f = (out * 100.0 + 16.0) / 116.0
        out = np.where(f > 6 / 29, f**3, (f - 4 / 29) * 108 / 841)
    return _srgb_codes(out, bits)


def gamma_codes_as_srgb(gamma: float, bits: int) -> NDArray[Any]:
    """Table from codes that are light to the power ``gamma`` (PNG's gAMA) to full-range sRGB codes, ``(2^bits,)``."""
    return _srgb_codes(np.linspace(0.0, 1.0, 1 << bits) ** (1.0 / gamma), bits)


def _srgb_codes(light: NDArray[np.float64], bits: int) -> NDArray[Any]:
    srgb = linear_to_srgb(torch.from_numpy(np.clip(light, 0.0, 1.0))).numpy()
    return np.rint(srgb * ((1 << bits) - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def _tone_curve(icc: bytes, x: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        (count,) = struct.unpack_from(">L", icc, 128)
        tags = {icc[at : at + 4]: struct.unpack_from(">LL", icc, at + 4) for at in range(132, 132 + 12 * count, 12)}
        start, length = tags[b"kTRC"]
        curve = icc[start : start + length]
        if curve[:4] == b"curv":
            (points,) = struct.unpack_from(">L", curve, 8)
            if points == 0:
                return x
            table = np.array(struct.unpack_from(f">{points}H", curve, 12), np.float64)
            if points == 1:
                return np.asarray(x ** (table[0] / 256.0))
            return np.interp(x, np.linspace(0.0, 1.0, points), table / 65535.0)
        if curve[:4] == b"para":
            (kind,) = struct.unpack_from(">H", curve, 8)
            given = [value / 65536.0 for value in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}l", curve, 12)]
            return _parametric(kind, given, x)
    except (struct.error, KeyError, IndexError):
        pass
    raise ValueError("the profile has no grey curve")


def _parametric(kind: int, given: list[float], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Function types 0 to 4 of ICC.1:2010 table 65: (a·x + b)^g + e above a break d, c·x + f below."""
    g, a, b, c, d, e, f = 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if kind == 0:
        (g,) = given
    elif kind == 1:
        g, a, b = given
        d = -b / a if a else 0.0
    elif kind == 2:
        g, a, b, c = given
        d, e, f, c = (-b / a if a else 0.0), c, c, 0.0
    elif kind == 3:
        g, a, b, c, d = given
    else:
        g, a, b, c, d, e, f = given
    return np.where(x >= d, np.maximum(a * x + b, 0.0) ** g + e, c * x + f)
