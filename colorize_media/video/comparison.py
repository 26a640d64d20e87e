"""Films coloured in every way of smoothing at once, frame by frame, for measuring: nothing is encoded.

The network sees each frame once; all ways get its output and give theirs, aligned. Where a film has colour of its own it
comes along as the truth. Memory is bounded by the longest look-ahead, not by the film.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from colorize_media.color.planes import COLORSPACE
from colorize_media.color.spaces import YCbCrSpec, rgb_to_lab
from colorize_media.errors import InputMissing, NoPicture
from colorize_media.files.formats import VIDEO_SUFFIXES
from colorize_media.judge.survey import FEWEST_SAMPLES, survey
from colorize_media.motion.shots import CutDetector, DissolveDetector
from colorize_media.motion.smoothing import SmoothingInput, make_smoother
from colorize_media.network.colorizer import Colorizer
from colorize_media.network.seen import lightness_batch, luma_bytes, working_luma, working_shape
from colorize_media.options import SMOOTHING, Smoothing
from colorize_media.video.reader import Frame, Reader, VideoGeometry


@dataclass(frozen=True)
class ColoredFrame:
    """``luma (H, W)`` uint8 as the network saw it, the ab ``(h, w, 2)`` of each way, the true ab or None."""

    luma: NDArray[np.uint8]
    shown: dict[Smoothing, NDArray[np.float32]]
    truth: NDArray[np.float32] | None
    cut: bool


class FilmInAllWays:
    """One film: iterate once over its `ColoredFrame`. ``limit`` 0 takes all frames.

    After that ``seconds`` has what the network and each way took. Raises FileProblems.
    """

    def __init__(
        self, path: Path, colorizer: Colorizer, *, working_size: int, vividness: float = 1.0, limit: int = 0
    ) -> None:
        self.path = path
        self.seconds: dict[str, float] = {"network": 0.0, **dict.fromkeys(SMOOTHING, 0.0)}
        self._colorizer = colorizer
        self._working_size, self._vividness, self._limit = working_size, vividness, limit

    def __iter__(self) -> Iterator[ColoredFrame]:
        smoothers = {way: make_smoother(way) for way in SMOOTHING}
        ready: dict[Smoothing, deque[NDArray[np.float32]]] = {way: deque() for way in SMOOTHING}
        waiting: deque[tuple[NDArray[np.uint8], NDArray[np.float32] | None, bool]] = deque()
        cuts, dissolves = CutDetector(), DissolveDetector()

        def aligned() -> Iterator[ColoredFrame]:
            while all(ready.values()):
                luma, truth, cut = waiting.popleft()
                yield ColoredFrame(luma, {way: queue.popleft() for way, queue in ready.items()}, truth, cut)

        for luma, ab, truth in self._colored():
            cut = cuts.is_cut(luma)
            mixing = dissolves.is_mixing(luma, cut=cut)
            waiting.append((luma, truth, cut))
            for way, smoother in smoothers.items():
                begun = time.perf_counter()
                ready[way] += smoother.push(SmoothingInput(ab, luma, cut, mixing))
                self.seconds[way] += time.perf_counter() - begun
            yield from aligned()
        for way, smoother in smoothers.items():
            begun = time.perf_counter()
            ready[way] += smoother.flush()
            self.seconds[way] += time.perf_counter() - begun
        yield from aligned()

    def _colored(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32] | None]]:
        """Luma, per-frame ab and true ab of each frame."""
        with Reader(self.path) as reader:
            samples = reader.sample(FEWEST_SAMPLES)
            has_truth = bool(samples) and survey(samples).kind == "color"
            geometry = reader.geometry
            lying = geometry.lying_size(working_shape(*geometry.upright_size, self._working_size))
            spec, batch = geometry.spec, []
            for count, item in enumerate(reader, 1):
                small = geometry.upright(working_luma(item.luma, lying))
                batch.append((small, _true_ab(item, geometry, lying) if has_truth else None))
                if len(batch) >= self._colorizer.batch_size or count == self._limit:
                    yield from self._through_network(batch, spec)
                    batch = []
                if count == self._limit:
                    return
            if batch:
                yield from self._through_network(batch, spec)

    def _through_network(
        self, batch: list[tuple[NDArray[np.float32], NDArray[np.float32] | None]], spec: YCbCrSpec
    ) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32] | None]]:
        begun = time.perf_counter()
        colors = self._colorizer.colors(lightness_batch([small for small, _ in batch], spec), vividness=self._vividness)
        self.seconds["network"] += time.perf_counter() - begun
        for (small, truth), ab in zip(batch, colors, strict=True):
            yield luma_bytes(small, spec), ab, truth


def find_films(path: Path) -> list[Path]:
    """The films in a folder (not in those below it), sorted; a file is itself. Raises InputMissing, NoPicture."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputMissing("nothing to evaluate", path=path, why="no such folder", hint="name a folder of films")
    films = sorted(file for file in path.iterdir() if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file())
    if not films:
        raise NoPicture("nothing to evaluate", path=path, why="no film in this folder", hint="name a folder of films")
    return films


def _true_ab(frame: Frame, geometry: VideoGeometry, lying: tuple[int, int]) -> NDArray[np.float32]:
    """The frame's own colours ``(h, w, 2)`` upright on the ab grid, a quarter of the working size."""
    height, width = lying
    # The matrix is said, because FFmpeg takes BT.601 for what says nothing, whatever its size.
    rgb = frame.source.reformat(
        width=width,
        height=height,
        format="rgb24",
        interpolation="AREA",
        src_colorspace=COLORSPACE[geometry.spec.matrix],
    )
    upright = geometry.upright(rgb.to_ndarray())
    lab = rgb_to_lab(torch.from_numpy(upright).permute(2, 0, 1) / 255.0)
    ab = lab[1:].permute(1, 2, 0).contiguous().numpy()
    small: NDArray[Any] = cv2.resize(ab, (upright.shape[1] // 4, upright.shape[0] // 4), interpolation=cv2.INTER_AREA)
    return small
