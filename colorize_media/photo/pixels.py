"""Decoded planes of a photograph, however it was decoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_media.color.scaling import averaged_down, small_size

PREVIEW_SIDE = 256  # pixels, short side: enough for the monochrome decision, and JPEG noise averages out
HDR_TRANSFERS = (16, 18)  # PQ and HLG, ISO/IEC 23091-2
STRIP_PIXELS = 1 << 16  # pixels worked on at once: what is made of them on the way stays in the processor's cache


@dataclass(frozen=True, eq=False)
class Pixels:
    """Decoded planes ``(H, W)`` of 8 or 16 bits; ``preview`` is R′G′B′, small. ``grey``: the file has one channel.

    ``extras`` ``(H, W, n)``: channels of unknown use.
    """

    luma: NDArray[Any]
    preview: NDArray[np.uint8]
    alpha: NDArray[Any] | None = None
    grey: bool = False
    extras: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class Decoded:
    """What a decoder made of a file, as stored there.

    warnings   what could not be kept
    upright    whether the decoder has applied Orientation
    converted  whether the planes are no longer in the file's own profile, but in sRGB
    """

    pixels: Pixels
    warnings: tuple[str, ...] = ()
    upright: bool = False
    converted: bool = False


def planes_of_samples(samples: NDArray[Any]) -> Pixels:
    """Planes of full-range ``(H, W, 1…4)``: grey, grey and alpha, R′G′B′, R′G′B′ and alpha; 8 or 16 bits."""
    alpha = np.ascontiguousarray(samples[..., -1]) if samples.shape[2] in (2, 4) else None
    if samples.shape[2] <= 2:
        luma = samples[..., 0].copy()
        return Pixels(luma, grey_preview(luma), alpha, grey=True)
    w, h = preview_size(samples.shape[1], samples.shape[0])
    small = averaged_down(samples[..., :3], (w, h))
    luma = np.empty(samples.shape[:2], samples.dtype)
    for top, bottom in strips(*luma.shape):
        luma[top:bottom] = luma_of(samples[top:bottom, :, :3])
    return Pixels(luma, to_8_bits(np.asarray(small)), alpha)


def luma_of(rgb: NDArray[Any]) -> NDArray[Any]:
    """Rounded BT.601 luma of integer R′G′B′ ``(n, W, 3)``; the weights add up to 1, so grey stays itself.

    Exactly (299 R′ + 587 G′ + 114 B′ + 500) // 1000: halves go up. All sums are thousandths, so a bias of less than one
    decides the halves and nothing else, and is more than the arithmetic's own error.
    """
    wide = rgb.astype(np.float32 if rgb.dtype == np.uint8 else np.float64)
    luma: NDArray[Any] = cv2.transform(wide, np.array([[0.299, 0.587, 0.114, 0.0003]]))
    return np.rint(luma, out=luma).astype(rgb.dtype)


def strips(height: int, width: int) -> Iterator[tuple[int, int]]:
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def preview_size(width: int, height: int) -> tuple[int, int]:
    return small_size(width, height, PREVIEW_SIDE)


def grey_preview(luma: NDArray[Any]) -> NDArray[np.uint8]:
    small = averaged_down(luma, preview_size(luma.shape[1], luma.shape[0]))
    return np.repeat(to_8_bits(small)[..., None], 3, axis=2)


def scaled_to_16_bits(codes: NDArray[Any], largest: int) -> NDArray[np.uint16]:
    """Codes of 0 … ``largest`` over the full range of 16 bits, rounded; larger ones are the largest."""
    if largest == 65535:
        return codes.astype(np.uint16)
    return np.minimum((codes.astype(np.uint32) * 65535 + largest // 2) // largest, 65535).astype(np.uint16)


def scaled_to_8_bits(codes: NDArray[Any], largest: int) -> NDArray[np.uint8]:
    """The same for 8 bits and less."""
    if largest == 255:
        return codes.astype(np.uint8)
    return np.minimum((codes.astype(np.uint16) * 255 + largest // 2) // largest, 255).astype(np.uint8)


def to_8_bits(codes: NDArray[Any]) -> NDArray[np.uint8]:
    return (codes // 256 if codes.dtype == np.uint16 else codes).astype(np.uint8)
