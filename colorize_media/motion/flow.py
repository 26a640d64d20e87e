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
SmallLuma = NDArray[np.uint8]
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

# What the residual of a good match reaches, in white. After denoising, three median absolute deviations were 0.000 to
# 0.015 on 17 films (four of them old) and 0.01 to 0.033 with strong grain, dust and flicker made on top; 0.15 and more
# between different pictures. An estimate from the frames, tried up to 0.12, only made other pictures look visible.
NOISE = 0.05
BLUR = 1.0  # pixels: what little the luma is blurred before its residual is taken
SPECK = 3  # pixels: a median of this size takes dust and scratches off before

MOST_LOCAL_FLICKER = 0.04  # of white
_LOCAL_SIGMA = 4.0  # pixels
_LOCAL_ROUNDS = 2

RELATIVE_TOLERANCE = 0.01  # of the squared flow, for the forward-backward test (Sundaram et al., ECCV 2010)
TOLERANCE = 1.0  # px²: in noise, flow itself wavers; half of it changes little

_CAMERA_WINDOW = 5  # pixels
_LEAST_CAMERA_VISIBILITY = 0.3
_NEARLY_ALL = 0.998  # of the frame followed: nothing left for the camera's motion to explain

_GAIN_LIMITS = (0.5, 2.0)  # exposure flickers by less; a larger gain would explain one scene by another
_FIT_PIXELS = 1024  # enough for a fit of a few numbers
_FIT_ROUNDS = 3


@dataclass(frozen=True)
class Motion:
    """How to carry a field of the frame ``there`` over to the frame ``here``.

    flow        ``(h, w, 2)`` float32, from here to there, in pixels of this grid
    visibility  ``(h, w)`` float32 in [0, 1]: how far ``warp(field, flow)`` is to be believed
    """

    flow: Flow
    visibility: NDArray[np.float32]

    def weakened(self, share: float) -> Motion:
        """The same motion, believed ``share`` times as far."""
        return self if share == 1.0 else Motion(self.flow, self.visibility * np.float32(share))


def optical_flow(a: SmallLuma, b: SmallLuma, preset: Preset = "fine") -> Flow:
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


def warp(field: NDArray[np.float32], flow: Flow, *, sharp: bool = False) -> NDArray[np.float32]:
    """``field(x + flow(x))`` by bilinear interpolation; beyond the frame the border value is repeated.

    ``field`` is ``(h, w)`` or ``(h, w, c)`` with c ≤ 4, float32, on the flow's grid. Zero flow is the identity,
    exactly. `in_frame` tells which values were invented by the border.

    ``sharp`` is for fields that are warped again and again: bilinear interpolation would blur them a little each time.
    OpenCV's cubic (a = −0.75) amplifies what it should keep, and rings after a dozen warps; a third of the way back to
    bilinear it equals Keys' cubic of a = −0.5 half-way between pixels, and is stable.
    """
    across, down = _positions(flow)
    warped: NDArray[Any] = cv2.remap(field, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if sharp:
        cubic: NDArray[Any] = cv2.remap(field, across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        cubic -= warped
        cubic *= np.float32(2.0 / 3.0)
        warped += cubic
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


def follow(luma_here: SmallLuma, luma_there: SmallLuma, flow: Flow, flow_reverse: Flow) -> Motion:
    """The motion from ``luma_here`` to ``luma_there``, whose optical flow is ``flow`` and the other way ``flow_reverse``.

    Visibility is exp(−ΔL² / 2s²) · [forward-backward test]. ΔL is the difference of the denoised luma (median of 3×3,
    Gaussian of 1 pixel, scaled to [0, 1]) and the other one's, warped by ``flow``, after one robust fit of gain and
    offset and the removal of `local_exposure`; s is `NOISE`.

    Where the test fails, DIS has often only dragged a moving thing's vectors into the plain wall beside it, so the
    `camera_motion` gets a second chance: it takes over where it explains 5×5 pixels well. Uncovered ground stays
    invisible. Raises ValueError if sizes differ.
    """
    _require_pair(luma_here, luma_there)
    if flow.shape != (*luma_here.shape, 2) or flow_reverse.shape != flow.shape:
        raise ValueError(f"flows {flow.shape} and {flow_reverse.shape} do not fit luma {luma_here.shape}")
    followed = consistent(flow, flow_reverse, TOLERANCE)
    here, there = _denoised(luma_here), _denoised(luma_there)
    gain, offset = _fit_exposure(here, warp(there, flow), followed)
    there *= np.float32(gain)
    there += np.float32(offset)
    residual = here - warp(there, flow)
    flicker = local_exposure(residual, followed)
    residual -= flicker
    sharpness = np.float32(-0.5 / NOISE**2)
    seen: NDArray[np.float32] = np.exp(residual * residual * sharpness) * followed
    if np.count_nonzero(followed) > _NEARLY_ALL * followed.size:
        return Motion(flow, seen)
    camera = camera_motion(flow, followed)
    residual = here - warp(there, camera) - flicker
    energy: NDArray[Any] = cv2.blur(residual * residual, (_CAMERA_WINDOW, _CAMERA_WINDOW))
    seen_from_camera = np.exp(energy * sharpness) * in_frame(camera)
    instead = ~followed & (seen_from_camera > _LEAST_CAMERA_VISIBILITY)
    return Motion(np.where(instead[..., None], camera, flow), np.where(instead, seen_from_camera, seen))


def motion_back(luma_now: SmallLuma, luma_prev: SmallLuma) -> Motion:
    """The motion that brings a field of ``luma_prev``'s frame to ``luma_now``'s."""
    return follow(luma_now, luma_prev, optical_flow(luma_now, luma_prev), optical_flow(luma_prev, luma_now))


def motion_both_ways(luma_now: SmallLuma, luma_prev: SmallLuma) -> tuple[Motion, Motion]:
    """Motion from now to the previous frame, and from the previous frame to now: the two share their flows."""
    back, forward = optical_flow(luma_now, luma_prev), optical_flow(luma_prev, luma_now)
    return follow(luma_now, luma_prev, back, forward), follow(luma_prev, luma_now, forward, back)


def local_exposure(residual: NDArray[np.float32], trusted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The part of a luma residual ``(h, w)`` that is flicker: smooth over a dozen pixels and at most 4 % of white.

    Old film does not only flicker as a whole: stains, uneven development and vignettes come and go. A Gaussian mean of
    the trusted pixels, reweighted with Cauchy's weights so that small things which really changed do not take part.
    """
    weight = trusted.astype(np.float32)
    for _ in range(_LOCAL_ROUNDS):
        flicker: NDArray[Any] = cv2.GaussianBlur(residual * weight, (0, 0), _LOCAL_SIGMA)
        flicker /= cv2.GaussianBlur(weight, (0, 0), _LOCAL_SIGMA) + np.float32(0.1)
        np.clip(flicker, -MOST_LOCAL_FLICKER, MOST_LOCAL_FLICKER, out=flicker)
        weight = trusted / (1.0 + ((residual - flicker) / np.float32(NOISE)) ** 2)
    return flicker


def camera_motion(flow: Flow, trusted: NDArray[np.bool_]) -> Flow:
    """The affine flow ``(h, w, 2)`` that most trusted vectors agree on: pan, zoom and roll of the camera.

    Least squares reweighted with squared Cauchy weights, begun at the median vector; no motion if fewer than 64 pixels
    are trusted.
    """
    height, width = trusted.shape
    rows, columns = np.nonzero(trusted)
    if rows.size < 64:
        return np.zeros_like(flow)
    step = max(1, rows.size // _FIT_PIXELS)
    rows, columns = rows[::step], columns[::step]
    places = np.stack((np.ones(rows.size), columns / width - 0.5, rows / height - 0.5), axis=1)
    vectors = flow[rows, columns].astype(np.float64)
    affine = np.zeros((3, 2))
    affine[0] = np.median(vectors, axis=0)
    for _ in range(_FIT_ROUNDS):
        miss = np.linalg.norm(vectors - places @ affine, axis=1)
        scale = max(1.5 * float(np.median(miss)), 0.1)  # pixels; DIS is not better than a tenth
        weighted = places / (1.0 + (miss[:, None] / scale) ** 2) ** 2
        affine = np.linalg.lstsq(weighted.T @ places, weighted.T @ vectors, rcond=None)[0]
    across = (np.arange(width) / width - 0.5)[None, :, None] * affine[1]
    down = (np.arange(height) / height - 0.5)[:, None, None] * affine[2]
    whole: NDArray[np.float32] = (affine[0] + across + down).astype(np.float32)
    return whole


def match_exposure(luma: SmallLuma, reference: SmallLuma) -> SmallLuma:
    """``luma`` with the mean and the deviation of ``reference``, if that makes the two more alike.

    It does not where something bright comes in or an iris opens: then the statistics change and the exposure does not.
    Alikeness is judged on pictures of a quarter of the size, where motion matters little. Returns ``luma`` itself if
    both agree within half a code value, so that equal pictures stay equal.
    """
    mean, deviation = float(luma.mean()), float(luma.std())
    wanted_mean, wanted_deviation = float(reference.mean()), float(reference.std())
    if abs(mean - wanted_mean) < 0.5 and abs(deviation - wanted_deviation) < 0.5:
        return luma
    gain = float(np.clip(wanted_deviation / max(deviation, 1.0), *_GAIN_LIMITS))
    codes = np.clip(np.rint((np.arange(256) - mean) * gain + wanted_mean), 0, 255).astype(np.uint8)
    matched: NDArray[Any] = cv2.LUT(luma, codes)
    target = _quarter(reference)
    return matched if _unlikeness(_quarter(matched), target) < _unlikeness(_quarter(luma), target) else luma


def _unlikeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Mean of |a − b| / (|a − b| + 8 codes): a few pixels that are quite different count no more than others."""
    difference = np.abs(a - b)
    return float((difference / (difference + np.float32(8.0))).mean())


def _quarter(luma: SmallLuma) -> NDArray[np.float32]:
    size = (max(1, luma.shape[1] // 4), max(1, luma.shape[0] // 4))
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    blurred: NDArray[Any] = cv2.GaussianBlur(small, (0, 0), BLUR)
    return blurred


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


def _denoised(luma: SmallLuma) -> NDArray[np.float32]:
    blurred: NDArray[Any] = cv2.GaussianBlur(cv2.medianBlur(luma, SPECK).astype(np.float32), (0, 0), BLUR)
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


def luma_on_grid(luma: SmallLuma, grid: tuple[int, ...]) -> SmallLuma:
    """Luma at the size ``(h, w)`` of an ab grid: averaged down, or interpolated if it is smaller."""
    height, width = grid
    shrinks = luma.shape[0] >= height and luma.shape[1] >= width
    small: NDArray[Any] = cv2.resize(
        luma, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    return small
