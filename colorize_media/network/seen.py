"""What the network sees of a picture: its luma, small, upright, as lightness; and the same in bytes for cuts and motion."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorize_media.color.scaling import averaged_down
from colorize_media.color.spaces import YCbCrSpec, lightness_of_luma

MULTIPLE = 32  # px; the network halves five times, and equal shapes batch together
LONGEST = 4  # of the short side; panoramas and slit scans are seen squeezed beyond


def working_shape(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Size (h, w) that the network sees of an upright ``height × width`` picture: sides are multiples of 32."""
    short = max(MULTIPLE, round(short_side / MULTIPLE) * MULTIPLE)
    ratio = min(max(height, width) / min(height, width), LONGEST)
    long = max(short, round(short * ratio / MULTIPLE) * MULTIPLE)
    return (long, short) if height >= width else (short, long)


def working_luma(luma: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Luma codes ``(H, W)`` averaged down (or interpolated up) to ``shape``, float32, still codes."""
    height, width = shape
    if luma.shape[0] >= height and luma.shape[1] >= width:
        return averaged_down(luma, (width, height)).astype(np.float32)
    return cv2.resize(luma, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def lightness_batch(lumas: list[NDArray[np.float32]], spec: YCbCrSpec) -> Tensor:
    """Working lumas of one shape, in codes, to L ``(B, 1, h, w)``."""
    codes = torch.from_numpy(np.stack(lumas)).unsqueeze(1)
    return lightness_of_luma(spec.luma_from_codes(codes))


def luma_bytes(luma: NDArray[np.float32], spec: YCbCrSpec) -> NDArray[np.uint8]:
    """Working luma in codes to uint8 from black to white, as flow and cut detection want it."""
    scaled = (luma - spec.luma_offset) * (255.0 / spec.luma_scale)
    as_bytes: NDArray[np.uint8] = np.clip(scaled + 0.5, 0, 255).astype(np.uint8)
    return as_bytes
