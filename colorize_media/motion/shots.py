"""Where one shot ends and the next begins, decided from luma alone, one frame at a time.

Two measures on the frame at 64×36, both blind to exposure. The *difference*: mean |ΔL| of the two frames, each
normalised to zero mean and unit deviation, must exceed ``max(RATIO · median of the last 8, LEAST_DIFFERENCE)``. That
alone also fires on a camera that jumps and on a burnt frame of old film, so a candidate must pass the second:
*unlikeness*, the median over 4×3 tiles of 1 − (best normalised correlation with the previous frame within ±5 pixels).
A jump moves the tiles, damage covers a few of them; a new shot changes most. Flashes are waited out.

A dissolve has no such frame. It is known by its middle, which is a *mixture* of what was some frames before and what
is now, while neither alone explains it (`DissolveDetector`).

A missed or a false cut is no disaster downstream: smoothing also looks at how much of the frame can be followed from
the one before (`is_lost`) and starts again where that is little.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_media.motion.state import State

WIDTH, HEIGHT = 64, 36  # pixels; coarse enough that grain and small motion vanish
HISTORY = 8  # frames: a third of a second, the time scale on which motion changes

# Measured on 25 real clips, 4,200 pairs of frames with 14 hard cuts, and on 1,500 joins of different clips (99.9 %
# found): the real cuts differ by 0.76 to 1.23, ordinary motion stays under 0.6, a jumping camera and a burnt frame
# reach 0.77.
LEAST_DIFFERENCE = 0.45  # deviations of luma
RATIO = 2.0  # the least ratio of a real cut to the median before it was 3.7
LEAST_UNLIKENESS = 0.28  # 1 − correlation; jumping cameras and burnt frames reach 0.23, real cuts start at 0.33

FLASH = 3  # frames: photographers' lamps and lightning are over by then
BURNT = 0.94  # of white
BURNT_SHARE = 0.5  # of the frame

# Measured on 100 dissolves of 8 to 40 frames, made from pairs of real clips: 99 found, in the mean after half of their
# length, the frames from there to the end; none false in 2,000 frames of 22 clips without one.
DISSOLVE_SPANS = (8, 16, 32)  # frames between the ends
MOST_UNEXPLAINED = 0.35  # of the variance that the better end alone leaves; motion leaves more
LEAST_MIXED = 0.2  # share of each end
LEAST_MIXED_UNLIKENESS = 0.12  # of the two ends

MIN_COVERAGE = 0.35  # share of a frame; across real cuts at most 0.22 was seen, between neighbours at least 0.73

_TILES_ACROSS, _TILES_DOWN = 4, 3
_TILE_WIDTH, _TILE_HEIGHT = WIDTH // _TILES_ACROSS, HEIGHT // _TILES_DOWN
_REACH = 5  # pixels at 64×36, a twelfth of the width
_FLAT = 0.01  # of white: the deviation of a frame that shows nothing: black, white or fog
_LEAST_DEVIATION = 0.02  # of white: what is flatter is not stretched further, its noise would be all there is
_LEAST_TEXTURE = 0.015  # of white: the deviation under which a tile has nothing to correlate
_TEXTURE_BLUR = 1.0  # pixels: grain alone is not texture


class CutDetector:
    """Streaming cut detector: ``is_cut`` once per frame, in order.

    Frames without a picture (black, white, fog) belong to nobody, however many there are; so do the first three that
    are mostly burnt out, and pictures that look again like the one before a cut of three frames ago or less were only
    interrupted. A new shot that is mostly white is therefore told three frames late.

    Look-ahead: 0 frames. Memory: two 64×36 pictures and ten numbers, whatever the film's length.
    """

    _previous: NDArray[np.float32] | None
    _before_cut: NDArray[np.float32] | None
    _since_cut: int
    _burnt: int

    def __init__(self) -> None:
        self._differences: deque[float] = deque(maxlen=HISTORY)
        self.reset()

    def is_cut(self, luma_small: NDArray[np.uint8]) -> bool:
        """True if a new shot begins with this frame. The first frame begins none, so it gives False.

        ``luma_small`` is ``(h, w)`` uint8 of any size from 1×1 (the smaller working picture is best: it is averaged
        down to 64×36 here). Raises ValueError for other shapes or dtypes.
        """
        now = tiny(luma_small)
        self._since_cut += 1
        if now.std() < _FLAT:
            return False  # nobody's shot: the next picture is compared with the one before the blackness
        previous, self._previous = self._previous, now
        if previous is None:
            return False
        difference = luma_difference(now, previous)
        usual = float(np.median(self._differences)) if self._differences else 0.0
        if difference <= max(RATIO * usual, LEAST_DIFFERENCE) or unlikeness(now, previous) <= LEAST_UNLIKENESS:
            self._differences.append(difference)
            self._burnt = 0
            return False
        if self._burnt < FLASH and _burnt_share(now) > BURNT_SHARE > _burnt_share(previous):
            self._burnt += 1
            self._previous = previous
            return False
        self._burnt = 0
        self._differences.clear()  # the new shot's motion is its own; the cut's own difference is no motion at all
        before, since = self._before_cut, self._since_cut
        if before is not None and since <= FLASH and unlikeness(now, before) <= LEAST_UNLIKENESS:
            return False
        self._before_cut, self._since_cut = previous, 0
        return True

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next frame is judged by, as arrays by name."""
        pictures = {"previous": self._previous, "before_cut": self._before_cut}
        state: dict[str, NDArray[Any]] = {name: picture for name, picture in pictures.items() if picture is not None}
        counts = np.array([self._since_cut, self._burnt], np.int64)
        return state | {"counts": counts, "differences": np.array(self._differences, np.float64)}

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self._previous, self._before_cut = state.get("previous"), state.get("before_cut")
        self._since_cut, self._burnt = (int(count) for count in state["counts"])
        self._differences = deque(state["differences"].tolist(), maxlen=HISTORY)

    def reset(self) -> None:
        """Forget everything, as before the first frame."""
        self._previous = self._before_cut = None
        self._since_cut = self._burnt = 0
        self._differences.clear()


class DissolveDetector:
    """Streaming detector of dissolves: ``is_mixing`` once per frame, in order.

    True from about the middle of a dissolve of 6 to 50 frames to its end: the frame half a span ago was a mixture of
    the one a span ago and this one.

    Look-ahead: 0 frames. Memory: 33 pictures of 64×36, whatever the film's length.
    """

    def __init__(self) -> None:
        self._pictures: deque[NDArray[np.float32]] = deque(maxlen=max(DISSOLVE_SPANS) + 1)

    def is_mixing(self, luma_small: NDArray[np.uint8], *, cut: bool = False) -> bool:
        """``luma_small`` ``(h, w)`` uint8 of any size; ``cut``: a shot begins with this frame. Raises as `CutDetector`."""
        if cut:
            self._pictures.clear()
        blurred: NDArray[Any] = cv2.GaussianBlur(tiny(luma_small), (0, 0), _TEXTURE_BLUR)
        self._pictures.append(blurred)
        return any(self._is_mixture(span) for span in DISSOLVE_SPANS if span < len(self._pictures))

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next frame is judged by, as arrays by name."""
        return {"pictures": np.array(self._pictures, np.float32).reshape(-1, HEIGHT, WIDTH)}

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self._pictures.clear()
        self._pictures.extend(state["pictures"])

    def _is_mixture(self, span: int) -> bool:
        first, middle, last = (self._pictures[-1 - age] for age in (span, span // 2, 0))
        if _unexplained(first, middle, last) > MOST_UNEXPLAINED:
            return False
        return unlikeness(last, first) > LEAST_MIXED_UNLIKENESS


def is_blank(luma_small: NDArray[np.uint8]) -> bool:
    """True for a frame that shows nothing: black, white or fog. ``(h, w)`` uint8 of any size; raises as `CutDetector`."""
    return bool(tiny(luma_small).std() < _FLAT)


def is_lost(visibility: NDArray[np.float32], luma_now: NDArray[np.uint8], luma_prev: NDArray[np.uint8]) -> bool:
    """True if so little of a frame can be followed from the one before that it must be a new shot, and looks like one.

    ``visibility`` ``(h, w)`` in [0, 1] as `flow.follow` gives it; the coverage is its mean. An iris that opens or a
    thing that comes close covers as much as a new shot does, but its tiles are found again.
    """
    if float(visibility.mean()) >= MIN_COVERAGE:
        return False
    return unlikeness(tiny(luma_now), tiny(luma_prev)) > LEAST_UNLIKENESS


def luma_difference(now: NDArray[np.float32], previous: NDArray[np.float32]) -> float:
    """Mean |ΔL| of two ``(h, w)`` pictures in [0, 1], each normalised to zero mean and unit deviation.

    A deviation under 0.02 (a black frame) counts as 0.02, so a static or empty picture gives 0 and not noise over
    noise.
    """
    return float(np.abs(_normalised(now) - _normalised(previous)).mean())


def unlikeness(now: NDArray[np.float32], previous: NDArray[np.float32]) -> float:
    """Median over tiles of 1 − the best correlation that a tile of ``now`` finds in ``previous`` close by, in [0, 2].

    Both ``(36, 64)`` in [0, 1]. A tile that has texture in one of the frames only counts as 1; one that is flat in both
    tells nothing and is left out. Frames without any texture give 0: nothing to tell them apart by but their exposure.
    """
    textured_now, textured_before = (_with_texture(picture) for picture in (now, previous))
    around = cv2.copyMakeBorder(previous, _REACH, _REACH, _REACH, _REACH, cv2.BORDER_REFLECT_101)
    found = []
    for row, column in np.ndindex(_TILES_DOWN, _TILES_ACROSS):
        if not (textured_now[row, column] or textured_before[row, column]):
            continue
        if not textured_now[row, column]:
            found.append(1.0)
            continue
        top, left = row * _TILE_HEIGHT, column * _TILE_WIDTH
        tile = now[top : top + _TILE_HEIGHT, left : left + _TILE_WIDTH]
        window = around[top : top + _TILE_HEIGHT + 2 * _REACH, left : left + _TILE_WIDTH + 2 * _REACH]
        correlation = cv2.matchTemplate(window, tile, cv2.TM_CCOEFF_NORMED)
        # Where the window is flat under the tile the coefficient is 0/0: OpenCV may give inf or nan there.
        sane = correlation[np.isfinite(correlation) & (np.abs(correlation) < 1.001)]
        found.append(1.0 - float(sane.max()) if sane.size else 1.0)
    return float(np.median(found)) if found else 0.0


def tiny(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """``(36, 64)`` in [0, 1] of luma of any size; raises ValueError for other shapes or dtypes."""
    if luma.ndim != 2 or luma.dtype != np.uint8 or luma.size == 0:
        raise ValueError(f"luma must be a non-empty (h, w) uint8 picture, not {luma.dtype} {luma.shape}")
    small: NDArray[Any] = cv2.resize(luma, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / np.float32(255.0)


def _burnt_share(picture: NDArray[np.float32]) -> float:
    return float((picture > BURNT).mean())


def _unexplained(first: NDArray[np.float32], middle: NDArray[np.float32], last: NDArray[np.float32]) -> float:
    """Variance of ``middle`` that a mixture of the ends (and an offset) leaves, as a share of what the better end leaves.

    1 if the mixture is none: a share under 0.2, or an end that explains the middle by itself.
    """
    ends = np.stack([(picture - picture.mean()).ravel() for picture in (first, last)]).astype(np.float64)
    target = (middle - middle.mean()).ravel().astype(np.float64)
    among, towards, own = ends @ ends.T, ends @ target, float(target @ target)
    if np.linalg.det(among) <= 1e-6 * among[0, 0] * among[1, 1]:
        return 1.0  # the ends are alike or flat
    shares = np.linalg.solve(among, towards)
    alone = own - float((towards**2 / among.diagonal()).max())
    if shares.min() < LEAST_MIXED or alone <= 1e-3 * own:
        return 1.0
    return float(own - shares @ towards) / alone


def _with_texture(luma: NDArray[np.float32]) -> NDArray[np.bool_]:
    """``(3, 4)``: True for the tiles that have something to correlate."""
    smooth = cv2.GaussianBlur(luma, (0, 0), _TEXTURE_BLUR)
    tiles = smooth.reshape(_TILES_DOWN, _TILE_HEIGHT, _TILES_ACROSS, _TILE_WIDTH)
    textured: NDArray[np.bool_] = tiles.std(axis=(1, 3)) >= _LEAST_TEXTURE
    return textured


def _normalised(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    return (luma - luma.mean()) / max(float(luma.std()), _LEAST_DEVIATION)
