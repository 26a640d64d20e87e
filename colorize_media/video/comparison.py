"""Films coloured in every way of smoothing at once, frame by frame, for measuring: nothing is encoded.

The network sees each frame once; all ways get its output and give theirs, aligned. Where a film has colour of its own it
comes along as the truth. Memory is bounded by the longest look-ahead, not by the film.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from colorize_media.color.planes import COLORSPACE
from colorize_media.color.spaces import rgb_to_lab
from colorize_media.errors import InputMissing, NoPicture
from colorize_media.files.formats import VIDEO_SUFFIXES
from colorize_media.judge.survey import FEWEST_SAMPLES, survey
from colorize_media.motion.averaging import AB
from colorize_media.motion.keyframes import EveryFrame
from colorize_media.motion.smoothing import Smoother, SmoothingInput, make_smoother
from colorize_media.motion.state import State
from colorize_media.network.colorizer import Colorizer
from colorize_media.network.seen import working_luma, working_shape
from colorize_media.options import SMOOTHING, ColorizeOptions, Smoothing
from colorize_media.video.color_stage import ColoredFrame, ColorStage, DecodedFrame, network_on
from colorize_media.video.geometry import VideoGeometry
from colorize_media.video.own_color import ColorShots
from colorize_media.video.reader import Frame, Reader
from colorize_media.video.samples import sample


@dataclass(frozen=True)
class FrameInAllWays:
    """``luma (H, W)`` uint8 as the network saw it, the ab ``(h, w, 2)`` of each way, the true ab or None."""

    luma: NDArray[np.uint8]
    shown: dict[Smoothing, AB]
    truth: AB | None
    cut: bool


class VideoInAllWays:
    """One film: iterate once over its `FrameInAllWays`. ``limit`` 0 takes all frames.

    After that ``seconds`` has what the network and each way took. Raises FileProblems.
    """

    def __init__(
        self, path: Path, colorizer: Colorizer, *, working_size: int, vividness: float = 1.0, limit: int = 0
    ) -> None:
        self.path = path
        self.seconds: dict[str, float] = {"network": 0.0, **dict.fromkeys(SMOOTHING, 0.0)}
        self._colorizer = colorizer
        self._options = ColorizeOptions(working_size=working_size, vividness=vividness)
        self._limit = limit or None

    def __iter__(self) -> Iterator[FrameInAllWays]:
        with Reader(self.path) as reader:
            stage = self._stage(reader.geometry)
            for item in self._decoded(reader):
                yield from map(_with_truth, stage.push(item))
            yield from map(_with_truth, stage.flush())

    def _stage(self, geometry: VideoGeometry) -> ColorStage[AB | None, _Steadied]:
        """As the film loop's, but that all smoothers follow one network, and that no frame keeps its own colour."""
        network = network_on(self._colorizer, geometry.spec, self._options)

        def timed(frames: Any) -> list[AB]:
            begun = time.perf_counter()
            colors = network(frames)
            self.seconds["network"] += time.perf_counter() - begun
            return colors

        coloring = EveryFrame(timed, self._colorizer.batch_size)
        return ColorStage(ColorShots(None), coloring, _SideBySide(self.seconds), geometry.spec)

    def _decoded(self, reader: Reader) -> Iterator[DecodedFrame[AB | None]]:
        """The frames' luma, each with its true ab if the film has colour."""
        samples = sample(reader, FEWEST_SAMPLES)
        has_truth = bool(samples) and survey(samples).kind == "color"
        geometry = reader.geometry
        lying = geometry.lying_size(working_shape(*geometry.upright_size, self._options.working_size))
        for frame in itertools.islice(reader, self._limit):
            small = geometry.upright(working_luma(frame.luma, lying))
            yield DecodedFrame(_true_ab(frame, geometry, lying) if has_truth else None, small, None)


@dataclass(frozen=True)
class _Steadied:
    """The ab ``(h, w, 2)`` of one frame by way of smoothing, and the luma and the cut that all were given."""

    shown: dict[Smoothing, AB]
    luma: NDArray[np.uint8]
    cut: bool


class _SideBySide:
    """All smoothers as one: a frame comes out when it has come out of each. Adds what each took to ``seconds``."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._smoothers: dict[Smoothing, Smoother] = {way: make_smoother(way) for way in SMOOTHING}
        self._ready: dict[Smoothing, deque[AB]] = {way: deque() for way in SMOOTHING}
        self._waiting: deque[SmoothingInput] = deque()

    def push(self, item: SmoothingInput) -> list[_Steadied]:
        """The next frame."""
        self._waiting.append(item)
        return self._each(lambda smoother: smoother.push(item))

    def end_shot(self) -> list[_Steadied]:
        """The rest; the next frame begins a shot."""
        return self._each(lambda smoother: smoother.end_shot())

    def flush(self) -> list[_Steadied]:
        """The rest."""
        return self._each(lambda smoother: smoother.flush())

    def state(self) -> dict[str, NDArray[Any]]:
        """A comparison is not gone on with."""
        return {}

    def restore(self, state: State) -> None:
        """Nothing to go on from."""

    def _each(self, step: Callable[[Smoother], list[AB]]) -> list[_Steadied]:
        for way, smoother in self._smoothers.items():
            begun = time.perf_counter()
            self._ready[way] += step(smoother)
            self._seconds[way] += time.perf_counter() - begun
        aligned = []
        while all(self._ready.values()):
            item = self._waiting.popleft()
            aligned.append(_Steadied({way: ab.popleft() for way, ab in self._ready.items()}, item.luma, item.cut))
        return aligned


def _with_truth(colored: ColoredFrame[AB | None, _Steadied]) -> FrameInAllWays:
    steadied = colored.colors
    assert steadied is not None  # no frame keeps its own colour where nothing is judged
    return FrameInAllWays(steadied.luma, steadied.shown, colored.frame, steadied.cut)


def find_videos(path: Path) -> list[Path]:
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
