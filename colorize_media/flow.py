"""Optical flow between two frames' luma, warping along it, and how far the warp is to be believed.

Conventions: a flow is ``(h, w, 2)`` float32 in pixels of its own grid, x first. ``optical_flow(a, b)`` says where each
pixel of ``a`` is found in ``b``: ``a(x) ≈ b(x + flow(x))``, so ``warp(b, optical_flow(a, b))`` looks like ``a``. Luma
is ``(h, w)`` uint8. Flow and visibility are blind to exposure: one frame's luma is matched to the other's by a gain and
an offset first. The matched luma never leaves this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Flow = NDArray[np.float32]
Luma = NDArray[np.uint8]
Preset = Literal["fast", "medium", "fine"]

# OpenCV's preset, and the pyramid level at which the search ends (0 is the picture's own size).
_PRESETS = {
    "fast": (cv2.DISOPTICAL_FLOW_PRESET_FAST, 2),
    "medium": (cv2.DISOPTICAL_FLOW_PRESET_MEDIUM, 1),
    "fine": (cv2.DISOPTICAL_FLOW_PRESET_FAST, 0),
}
# DIS refuses pictures whose short side is under 12 pixels, and on longish ones under 32 (16×128) it chooses its scales
# by the width alone, runs out of rows and crashes the process (OpenCV 5.0). From 32 on its usual scales fit.
_LEAST_SIDE = 32  # pixels

LEAST_NOISE = 0.04  # of white: the residual that interpolation and quantisation leave even in clean film
MOST_NOISE = 0.12  # of white: beyond this the residual is another picture, not grain
DEVIATIONS = 3.0  # the noise level in median absolute deviations, 2 standard deviations of a normal distribution
BLUR = 1.0  # pixels: what little the luma is blurred before its residual is taken

RELATIVE_TOLERANCE = 0.01  # of the squared flow, for the forward-backward test (Sundaram et al., ECCV 2010)
TOLERANCE_GIVEN = 0.5  # px²: with a noise level that the caller gives
TOLERANCE_ESTIMATED = 1.0  # px²: in noise, flow itself wavers

_GAIN_LIMITS = (0.5, 2.0)  # exposure flickers by less; a larger gain would explain one scene by another
_FIT_PIXELS = 2048  # enough for a fit of two numbers
_FIT_ROUNDS = 3


@dataclass(frozen=True)
class Motion:
    """How to carry a field of the frame ``there`` over to the frame ``here``.

    flow        ``(h, w, 2)`` float32, from here to there, in pixels of this grid
    visibility  ``(h, w)`` float32 in [0, 1]: how far ``warp(field, flow)`` is to be believed
    """

    flow: Flow
    visibility: NDArray[np.float32]


def optical_flow(a: Luma, b: Luma, preset: Preset = "fine") -> Flow:
    """Flow ``(h, w, 2)`` from ``a`` to ``b``, both ``(h, w)`` uint8: dense inverse search (Kroeger et al., ECCV 2016).

    ``fine`` searches down to the picture's own size: on grids as small as ab's the others, which stop at 1/2
    (``medium``) and 1/4 (``fast``), see objects of a dozen pixels move half as far as they do. At 64×114 fast takes
    0.15 ms, medium 0.65, fine 1.9. ``b``'s exposure is matched to ``a``'s first. Equal pictures give exactly 0.
    Pictures with a side under 32 pixels are extended by their border for the search. Raises ValueError for other types
    or different sizes.
    """
    _require_pair(a, b)
    height, width = a.shape
    b = match_exposure(b, a)
    if min(height, width) < _LEAST_SIDE:
        bottom, right = max(0, _LEAST_SIDE - height), max(0, _LEAST_SIDE - width)
        a, b = (np.pad(luma, ((0, bottom), (0, right)), mode="edge") for luma in (a, b))
    # A fresh object each time: DIS keeps buffers, adapts its own scales to the first picture, and is not thread-safe.
    parameters, finest_scale = _PRESETS[preset]
    search: Any = cv2.DISOpticalFlow.create(parameters)  # the stubs refuse None for "no first guess"
    search.setFinestScale(finest_scale)
    flow: NDArray[Any] = search.calc(np.ascontiguousarray(a), np.ascontiguousarray(b), None)
    return flow[:height, :width]


def warp(field: NDArray[np.float32], flow: Flow) -> NDArray[np.float32]:
    """``field(x + flow(x))`` by bilinear interpolation; beyond the frame the border value is repeated.

    ``field`` is ``(h, w)`` or ``(h, w, c)`` with c ≤ 4, float32, on the flow's grid. Zero flow is the identity,
    exactly. `in_frame` tells which values were invented by the border.
    """
    across, down = _positions(flow)
    warped: NDArray[Any] = cv2.remap(field, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return warped.reshape(field.shape)  # remap drops a last axis of length 1


def in_frame(flow: Flow) -> NDArray[np.bool_]:
    """``(h, w)``: True where ``x + flow(x)`` falls on a pixel of the frame (its outer half pixel included)."""
    height, width = flow.shape[:2]
    across, down = _positions(flow)
    return (across >= -0.5) & (across <= width - 0.5) & (down >= -0.5) & (down <= height - 0.5)


def consistent(flow: Flow, flow_reverse: Flow, tolerance: float) -> NDArray[np.bool_]:
    """Forward-backward test ``(h, w)``: True where going along ``flow`` and back along ``flow_reverse`` leads home.

    |f + W r|² ≤ 0.01 (|f|² + |W r|²) + tolerance, in px² of the flow's grid; False outside the frame.
    """
    back_home = warp(flow_reverse, flow)
    miss = _squared_length(flow + back_home)
    allowed = RELATIVE_TOLERANCE * (_squared_length(flow) + _squared_length(back_home)) + tolerance
    return (miss <= allowed) & in_frame(flow)


def visibility(
    luma_now: Luma, luma_prev: Luma, flow_back: Flow, flow_forward: Flow, noise: float | None = None
) -> NDArray[np.float32]:
    """How far each pixel of ``luma_now`` is the one that ``flow_back`` finds in ``luma_prev``: ``(h, w)`` in [0, 1].

    exp(−ΔL² / 2s²) · [forward-backward test]. ΔL is the difference of the lightly blurred luma (Gaussian, 1 pixel,
    scaled to [0, 1]) and the previous one's, warped by ``flow_back`` (now → previous) and matched in exposure by a
    robust fit of gain and offset. s is ``noise`` when given (test tolerance 0.5 px²); None takes it from this pair of
    frames, see `noise_level` (tolerance 1 px²). ``flow_forward`` is previous → now; both flows are on the luma's grid.
    Raises ValueError if sizes differ or ``noise`` is not positive.
    """
    _require_pair(luma_now, luma_prev)
    if flow_back.shape != (*luma_now.shape, 2) or flow_forward.shape != flow_back.shape:
        raise ValueError(f"flows {flow_back.shape} and {flow_forward.shape} do not fit luma {luma_now.shape}")
    if noise is not None and not noise > 0.0:
        raise ValueError(f"noise must be positive, not {noise}")
    tolerance = TOLERANCE_ESTIMATED if noise is None else TOLERANCE_GIVEN
    followed = consistent(flow_back, flow_forward, tolerance)
    residual = _residual(luma_now, luma_prev, flow_back, followed)
    level = noise_level(residual) if noise is None else noise
    believed = np.exp(residual * residual * np.float32(-0.5 / level**2))
    believed *= followed
    return believed


def noise_level(residual: NDArray[np.float32]) -> float:
    """s of `visibility`: 3 median absolute deviations of a warped luma residual in [−1, 1], kept in [0.04, 0.12]."""
    middle = np.median(residual)
    return float(np.clip(DEVIATIONS * np.median(np.abs(residual - middle)), LEAST_NOISE, MOST_NOISE))


def motion_back(luma_now: Luma, luma_prev: Luma, preset: Preset = "fine") -> Motion:
    """The motion that brings a field of ``luma_prev``'s frame to ``luma_now``'s; the noise level is estimated.

    Time has no say in it: with the two swapped it is the motion that a filter running backward needs.
    """
    back = optical_flow(luma_now, luma_prev, preset)
    forward = optical_flow(luma_prev, luma_now, preset)
    return Motion(back, visibility(luma_now, luma_prev, back, forward))


def resize_motion(motion: Motion, height: int, width: int) -> Motion:
    """The same motion on a grid of another size: averaged over its pixels, and the vectors scaled to the new pixel."""
    old_height, old_width = motion.visibility.shape
    if (old_height, old_width) == (height, width):
        return motion
    flow: NDArray[Any] = cv2.resize(motion.flow, (width, height), interpolation=cv2.INTER_AREA)
    flow *= np.array([width / old_width, height / old_height], np.float32)
    visible: NDArray[Any] = cv2.resize(motion.visibility, (width, height), interpolation=cv2.INTER_AREA)
    return Motion(flow, visible)


def match_exposure(luma: Luma, reference: Luma) -> Luma:
    """``luma`` with the mean and the deviation of ``reference`` (gain kept in [0.5, 2]), rounded to uint8.

    Returned as it is if both agree already within half a code value, so that equal pictures stay equal.
    """
    mean, deviation = float(luma.mean()), float(luma.std())
    wanted_mean, wanted_deviation = float(reference.mean()), float(reference.std())
    if abs(mean - wanted_mean) < 0.5 and abs(deviation - wanted_deviation) < 0.5:
        return luma
    gain = float(np.clip(wanted_deviation / max(deviation, 1.0), *_GAIN_LIMITS))
    codes = np.clip(np.rint((np.arange(256) - mean) * gain + wanted_mean), 0, 255).astype(np.uint8)
    matched: NDArray[Any] = cv2.LUT(luma, codes)
    return matched


def _residual(now: Luma, previous: Luma, flow: Flow, trusted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Luma of ``now`` minus the warped, exposure-matched luma of ``previous``, both lightly blurred, in [−1, 1]."""
    here = _blurred(now)
    there = warp(_blurred(previous), flow)
    gain, offset = _fit_exposure(here, there, trusted)
    return here - (there * np.float32(gain) + np.float32(offset))


def _fit_exposure(
    target: NDArray[np.float32], source: NDArray[np.float32], trusted: NDArray[np.bool_]
) -> tuple[float, float]:
    """Gain and offset with target ≈ gain · source + offset, by least squares reweighted with Cauchy's weights.

    Robust, because whatever moves or is uncovered has luma of its own: the mean and the deviation of whole frames would
    let a bright passer-by darken the wall behind. Equal pictures give exactly (1, 0).
    """
    y, x = target[trusted], source[trusted]
    if y.size < 16:
        return 1.0, 0.0
    step = max(1, y.size // _FIT_PIXELS)
    y, x = y[::step].astype(np.float64), x[::step].astype(np.float64)
    gain, offset = 1.0, float(np.median(y - x))
    for _ in range(_FIT_ROUNDS):
        residual = y - gain * x - offset
        scale = max(2.0 * float(np.median(np.abs(residual))), 1.0 / 255.0)
        weight = 1.0 / (1.0 + (residual / scale) ** 2)
        weight /= weight.sum()
        mean_x, mean_y = weight @ x, weight @ y
        spread = weight @ (x - mean_x) ** 2
        if spread > 1e-4:  # one hundredth of white: flatter pictures say nothing about a gain
            gain = float(np.clip(weight @ ((x - mean_x) * (y - mean_y)) / spread, *_GAIN_LIMITS))
        offset = float(mean_y - gain * mean_x)
    return gain, offset


def _blurred(luma: Luma) -> NDArray[np.float32]:
    blurred: NDArray[Any] = cv2.GaussianBlur(luma.astype(np.float32), (0, 0), BLUR)
    blurred *= np.float32(1.0 / 255.0)
    return blurred


def _positions(flow: Flow) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    height, width = flow.shape[:2]
    across: NDArray[Any] = flow[..., 0] + np.arange(width, dtype=np.float32)
    down: NDArray[Any] = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return across, down


def _squared_length(flow: Flow) -> NDArray[np.float32]:
    squared: NDArray[np.float32] = flow[..., 0] ** 2 + flow[..., 1] ** 2
    return squared


def _require_pair(a: NDArray[Any], b: NDArray[Any]) -> None:
    for luma in (a, b):
        if luma.ndim != 2 or luma.dtype != np.uint8 or luma.size == 0:
            raise ValueError(f"luma must be a non-empty (h, w) uint8 picture, not {luma.dtype} {luma.shape}")
    if a.shape != b.shape:
        raise ValueError(f"two frames of different sizes: {a.shape} and {b.shape}")
