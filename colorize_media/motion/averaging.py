"""Motion-compensated recursive averages, and the vividness they cost given back.

An average along the motion is kept as its *sums*, ``(h, w, 3)`` float32: N's a and b, and the weight D. What is shown is
N / D. With v the visibility, W the warp along the motion and m the memory,

    N_t = ab_t + m·v·W(N_{t−1}),   D_t = 1 + m·v·W(D_{t−1})

is the same recursion in either direction of time. A sum from the past and one from the future hold the present twice:
joined they give (N_f + N_b − ab) / (D_f + D_b − 1), exactly the weighted mean over both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_media.motion.flow import Motion, warp

AB = NDArray[np.float32]
Sums = NDArray[np.float32]

# Averaging takes away noise that the network paints, and with it some of the spread of colours: 1 to 13 % of the
# colourfulness of 15 films. A gain brings each frame back to the vividness that the shot's own frames have in the mean.
# Where the network's colours are wrong more of them is more error; the last two hundredths are left away.
KEPT_VIVIDNESS = 0.98  # of per-frame output's
VIVIDNESS_MEMORY = 0.98  # fifty frames, to both sides: the mean must not follow a network whose saturation wavers
MOST_GAIN = 1.25  # where hues contradict each other by more, the mean is grey for a reason
LEAST_GAIN = 0.9  # what is livelier than the second before it is toned down no further: the picture may have changed
# R′ − G′ and (R′ + G′)/2 − B′ in codes of 255 per unit of a and of b, for greys of L = 50: columns are the two.
_OPPONENT = np.array([[2.33, 0.59], [0.85, 2.04]], np.float32)


def accumulate(ab: AB, before: Sums | None, motion: Motion | None, memory: float, *, sharp: bool = True) -> Sums:
    """The sums of a frame: its own ``ab (h, w, 2)`` and the sums of its neighbour in time, carried over.

    ``motion`` leads from this frame to that neighbour; None (of either) starts again. ``sharp`` as for `flow.warp`.
    """
    sums = np.empty((*ab.shape[:2], 3), np.float32)
    sums[..., :2] = ab
    sums[..., 2] = 1.0
    if before is not None and motion is not None:
        carried = warp(before, motion.flow, sharp=sharp)
        carried *= (np.float32(memory) * motion.visibility)[..., None]
        sums += carried
    return sums


def mean(sums: Sums) -> AB:
    """N / D, ``(h, w, 2)``."""
    average: NDArray[Any] = sums[..., :2] / sums[..., 2:]
    return average


def joined_mean(past: Sums, future: Sums, ab: AB) -> AB:
    """The mean over both sides of a frame whose own colours, in both sums, are ``ab``."""
    average: NDArray[Any] = (past[..., :2] + future[..., :2] - ab) / (past[..., 2:] + future[..., 2:] - 1.0)
    return average


def vividness(ab: AB) -> float:
    """Colourfulness (Hasler and Süsstrunk 2003) of ``ab (h, w, 2)`` at medium lightness, gamut left aside."""
    opponent = ab[::2, ::2].reshape(-1, 2) @ _OPPONENT  # a quarter of the cells tells as much
    return float(np.sqrt(opponent.var(axis=0).sum()) + 0.3 * np.linalg.norm(opponent.mean(axis=0)))


class VividnessKeeper:
    """Gives averaged frames at least ``kept`` of the vividness that the shot's own have in the mean, one gain a frame.

    What averaging loses grows within a shot, so the loss is each frame's own; only what is wanted is a slow mean. The gain
    is 0.9 to 1.25; below 1 it tones down colours held from a livelier past. Memory: two numbers.
    """

    def __init__(self, kept: float = KEPT_VIVIDNESS) -> None:
        self._kept = kept
        self.restart()

    def restart(self) -> None:
        """A new shot."""
        self._sum = self._weight = 0.0

    def state(self) -> NDArray[np.float64]:
        """Everything that the next frame needs, two numbers."""
        return np.array([self._sum, self._weight])

    def restore(self, state: NDArray[np.float64]) -> None:
        """Go on from a `state`."""
        self._sum, self._weight = (float(number) for number in state)

    def apply(self, averaged: AB, own: float, future: Sequence[float] = ()) -> AB:
        """The next frame's averaged colours ``(h, w, 2)`` with their vividness.

        ``own`` is the `vividness` of its per-frame output, ``future`` that of the same shot's next frames, as far as known.
        """
        if not self._kept:
            return averaged
        self._sum = VIVIDNESS_MEMORY * self._sum + own
        self._weight = VIVIDNESS_MEMORY * self._weight + 1.0
        ahead = VIVIDNESS_MEMORY ** np.arange(1, len(future) + 1)
        wanted = (self._sum + float(ahead @ np.asarray(future))) / (self._weight + float(ahead.sum()))
        gain = wanted / max(vividness(averaged), 1e-6)
        if gain > 1.0:
            gain = max(self._kept * gain, 1.0)
        return averaged * np.float32(min(max(gain, LEAST_GAIN), MOST_GAIN))
