"""How steady a coloured video is, measured on arrays: warp error of ab, and how much colour histograms change (CDC).

None of these sees whether colours are right, and grey is perfect for all of them: read them beside colourfulness and
the error against the truth. Decoding is the caller's business: nothing here opens a file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_media.motion.flow import consistent, optical_flow, warp

WARP_TOLERANCE = 0.5  # px²: forward-backward test
BOUNDARY_RELATIVE, BOUNDARY_LEAST = 0.01, 0.002  # motion boundaries (Sundaram et al., ECCV 2010)
CDC_DISTANCES = (1, 2, 4)  # frames (Liu et al., TCVC)
AB_BINS, AB_REACH = 64, 110.0


class WarpError:
    """Warp error of several videos of ab over the same luma, frame by frame; the flow is computed once for all.

    WE = Σ M‖ab_t − W(ab_{t+1})‖² / ΣM over all pairs of frames in one shot, in squared ab units. W warps by the optical
    flow (DIS, medium) of the grey input; M leaves out what fails the forward-backward test, leaves the frame, or lies
    at a motion boundary. Everything is on the luma's grid: ab of another size is resized bilinearly.
    """

    def __init__(self) -> None:
        self._luma: NDArray[np.uint8] | None = None
        self._ab: dict[str, NDArray[np.float32]] = {}
        self._sum: dict[str, float] = {}
        self._pixels = 0

    def add(self, luma: NDArray[np.uint8], ab: dict[str, NDArray[np.float32]], *, cut: bool = False) -> None:
        """The next frame: luma ``(H, W)`` uint8 and, by name, each video's ab ``(h, w, 2)`` float32.

        ``cut`` means that a new shot begins with this frame: the pair with the frame before is left out.
        """
        height, width = luma.shape
        fields = {name: _resized(field, height, width) for name, field in ab.items()}
        if self._luma is not None and not cut:
            forward = optical_flow(self._luma, luma, "medium")
            backward = optical_flow(luma, self._luma, "medium")
            mask = consistent(forward, backward, WARP_TOLERANCE) & ~motion_boundary(forward)
            self._pixels += int(mask.sum())
            for name, field in fields.items():
                difference = self._ab[name] - warp(field, forward)
                squared = float((difference[mask].astype(np.float64) ** 2).sum())
                self._sum[name] = self._sum.get(name, 0.0) + squared
        self._luma, self._ab = luma, fields

    def result(self) -> dict[str, float]:
        """WE of each video; nan if no pixel of any pair could be followed."""
        return {name: self._sum.get(name, 0.0) / self._pixels if self._pixels else float("nan") for name in self._ab}


def warp_error(
    ab: Sequence[NDArray[np.float32]], luma: Sequence[NDArray[np.uint8]], cuts: Collection[int] = ()
) -> float:
    """WE of one whole video: ``ab[t]`` ``(h, w, 2)``, ``luma[t]`` ``(H, W)``; ``cuts``: frames that begin a shot."""
    if len(ab) != len(luma):
        raise ValueError(f"{len(ab)} frames of ab but {len(luma)} of luma")
    error = WarpError()
    for index, (field, grey) in enumerate(zip(ab, luma, strict=True)):
        error.add(grey, {"": field}, cut=index in cuts)
    return error.result().get("", float("nan"))


def motion_boundary(flow: NDArray[np.float32]) -> NDArray[np.bool_]:
    """``(h, w)``: True where |∇u|² + |∇v|² > 0.01 |f|² + 0.002, central differences in pixels."""
    if min(flow.shape[:2]) < 2:
        return np.zeros(flow.shape[:2], np.bool_)
    down, across = np.gradient(flow, axis=(0, 1))
    steepness = (down**2 + across**2).sum(axis=-1)
    edge: NDArray[np.bool_] = steepness > BOUNDARY_RELATIVE * (flow**2).sum(axis=-1) + BOUNDARY_LEAST
    return edge


class DistributionConsistency:
    """How much histograms change, frame by frame: mean over d = 1, 2, 4 of the mean JS divergence d frames apart.

    Natural logarithm, mean over channels, in [0, ln 2]; 0 is steady. Distances that the video is too short for are left
    out. Keeps four histograms, whatever the video's length.
    """

    def __init__(self, bins: int, limits: tuple[float, float]) -> None:
        self._bins, self._limits = bins, limits
        self._last: deque[NDArray[np.float64]] = deque(maxlen=max(CDC_DISTANCES))
        self._sums = dict.fromkeys(CDC_DISTANCES, 0.0)
        self._pairs = dict.fromkeys(CDC_DISTANCES, 0)

    def add(self, picture: NDArray[Any]) -> None:
        """The next frame ``(h, w, C)``; values beyond the limits count in the first and the last bin."""
        histograms = _histograms(picture, self._bins, self._limits)  # (C, bins)
        for distance in CDC_DISTANCES:
            if len(self._last) >= distance:
                self._sums[distance] += float(js_divergence(self._last[-distance], histograms).mean())
                self._pairs[distance] += 1
        self._last.append(histograms)

    def result(self) -> float:
        """nan for a single frame."""
        means = [self._sums[distance] / pairs for distance, pairs in self._pairs.items() if pairs]
        return float(np.mean(means)) if means else float("nan")


def color_consistency() -> DistributionConsistency:
    """CDC (Liu et al., TCVC) of frames ``(H, W, 3)`` uint8: 256 bins a channel."""
    return DistributionConsistency(256, (0.0, 256.0))


def ab_consistency() -> DistributionConsistency:
    """The same of ab ``(h, w, 2)``: 64 bins a channel over [−110, 110]."""
    return DistributionConsistency(AB_BINS, (-AB_REACH, AB_REACH))


def color_distribution_consistency(rgb: Sequence[NDArray[np.uint8]]) -> float:
    """CDC of a whole video."""
    return _consistency(color_consistency(), rgb)


def ab_distribution_consistency(ab: Sequence[NDArray[np.float32]]) -> float:
    """ab-CDC of a whole video."""
    return _consistency(ab_consistency(), ab)


def js_divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Jensen-Shannon divergence, natural logarithm, over the last axis of two arrays of distributions."""
    middle = (p + q) / 2
    return (_kl_divergence(p, middle) + _kl_divergence(q, middle)) / 2


def _kl_divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    # Where p > 0 the middle distribution q is too; where p = 0 the term is 0 by its limit.
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    divergence: NDArray[np.float64] = (p * np.log(ratio)).sum(axis=-1)
    return divergence


def _consistency(measure: DistributionConsistency, frames: Iterable[NDArray[Any]]) -> float:
    for frame in frames:
        measure.add(frame)
    return measure.result()


def _histograms(picture: NDArray[Any], bins: int, limits: tuple[float, float]) -> NDArray[np.float64]:
    """``(C, bins)`` distributions of the channels of ``(h, w, C)``."""
    inside = np.clip(picture, *limits)
    channels = (inside[..., index] for index in range(picture.shape[-1]))
    counts = np.stack([np.histogram(channel, bins=bins, range=limits)[0] for channel in channels])
    return counts / (picture.shape[0] * picture.shape[1])


def _resized(field: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    if field.shape[:2] == (height, width):
        return field
    resized: NDArray[Any] = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized
