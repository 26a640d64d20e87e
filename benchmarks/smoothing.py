"""What each part of the smoothing gives and costs, on real films: the network runs once, then every variant on its output.

    python benchmarks/smoothing.py FILM... [--frames 48] [--model scenes] [--old]

Per variant, over all films: the mean and the worst share of warp error, colourfulness and ab error (of per-frame output's),
and milliseconds a frame. Then milliseconds of the single steps on the last film; the network's time beside them, since only
ratios in one run can be compared. ``--old`` makes the films old first: flicker of exposure, local flicker, grain, dust,
scratches and a restless gate. (`colorize-media evaluate --video` scores the modes themselves, per film.)
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_media.color.spaces import YCbCrSpec
from colorize_media.motion.anchors import Anchors
from colorize_media.motion.averaging import VividnessKeeper, accumulate, vividness
from colorize_media.motion.flow import follow, luma_on_grid, optical_flow
from colorize_media.motion.keyframes import Colored, Keyframes
from colorize_media.motion.shots import CutDetector, DissolveDetector
from colorize_media.motion.smoothing import Best, Fast, Off, Smoother, SmoothingInput
from colorize_media.network.colorizer import Colorizer
from colorize_media.network.seen import lightness_batch
from colorize_media.training.video_evaluation import BASELINE, FilmScore, summary
from colorize_media.video.comparison import FrameInAllWays, VideoInAllWays


class OnEvery:
    """A smoother behind the keyframe stage: the network's colours count on every Nth frame only."""

    def __init__(self, every: int, smoother: Smoother) -> None:
        self.keyframes: Keyframes[SmoothingInput] = Keyframes(lambda frames: [frame.ab for frame in frames], every)
        self.smoother = smoother

    def push(self, item: SmoothingInput) -> list[NDArray[np.float32]]:
        """The next frame."""
        return self._smooth(self.keyframes.push(item, item.luma, cut=item.cut))

    def flush(self) -> list[NDArray[np.float32]]:
        """The rest."""
        return self._smooth(self.keyframes.end_shot()) + self.smoother.flush()

    def _smooth(self, ready: list[Colored[SmoothingInput]]) -> list[NDArray[np.float32]]:
        return [
            ab for frame in ready for ab in self.smoother.push(replace(frame.item, ab=frame.ab, motions=frame.motions))
        ]


VARIANTS: dict[str, Callable[[], Smoother | OnEvery]] = {
    BASELINE: Off,
    "fast": Fast,
    "fast, vividness not kept": lambda: Fast(kept=0.0),
    "best": Best,
    "best, vividness not kept": lambda: Best(kept=0.0),
    "best, no anchors": lambda: Best(anchors=0.0),
    "best, averaged once": lambda: Best(past=(0.9, 0.0), future=(0.85, 0.0)),
    "best, look-ahead 3": lambda: Best(look_ahead=3),
    "best, look-ahead 9": lambda: Best(look_ahead=9),
    "best, look-ahead 60": lambda: Best(look_ahead=60),
    "off, every 4": lambda: OnEvery(4, Off()),
    "fast, every 4": lambda: OnEvery(4, Fast()),
    "best, every 2": lambda: OnEvery(2, Best()),
    "best, every 4": lambda: OnEvery(4, Best()),
    "best, every 8": lambda: OnEvery(8, Best()),
}


class OldFilm:
    """A `ColoredFilm` whose frames have aged: the network sees the damage, the truth is what was before."""

    def __init__(self, film: VideoInAllWays, colorizer: Colorizer) -> None:
        self._film, self._colorizer = film, colorizer

    def __iter__(self) -> Iterator[FrameInAllWays]:
        random, spec = np.random.default_rng(1), YCbCrSpec(full_range=True)
        for frame in self._film:
            luma = age(frame.luma, random)
            ab = self._colorizer.colors(lightness_batch([luma.astype(np.float32)], spec))[0]
            yield FrameInAllWays(luma, {"off": ab}, frame.truth, frame.cut)


def age(luma: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """One frame, damaged by the next random numbers."""
    height, width = luma.shape
    local = cv2.resize(random.normal(0, 1, (3, 5)), (width, height), interpolation=cv2.INTER_CUBIC)
    aged = luma * (random.uniform(0.85, 1.1) + 0.05 * local) + random.uniform(-10, 10)
    aged += cv2.resize(random.normal(0, 9, (height // 2, width // 2)), (width, height))
    aged += random.normal(0, 6, (height, width))
    for _ in range(random.integers(3, 12)):
        middle = (int(random.integers(width)), int(random.integers(height)))
        axes = (int(random.integers(1, 7)), int(random.integers(1, 5)))
        cv2.ellipse(aged, middle, axes, float(random.integers(180)), 0, 360, float(random.choice([20, 240])), -1)
    if random.random() < 0.5:
        column = int(random.integers(width))
        aged[:, column : column + 2] = 230
    shift = np.array([[1, 0, random.normal()], [0, 1, random.normal()]], np.float32)
    moved = cv2.warpAffine(aged, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.clip(moved + 0.5, 0, 255).astype(np.uint8)


def compare(name: str, frames: list[FrameInAllWays]) -> list[dict[str, Any]]:
    """Rows of one film."""
    score, shown, cost = FilmScore(name), {}, {}
    cuts, dissolves = CutDetector(), DissolveDetector()
    flags = [(cut := cuts.is_cut(frame.luma), dissolves.is_mixing(frame.luma, cut=cut)) for frame in frames]
    for variant, make in VARIANTS.items():
        smoother, out = make(), []
        begun = time.perf_counter()
        for frame, (cut, mixing) in zip(frames, flags, strict=True):
            out += smoother.push(SmoothingInput(frame.shown["off"], frame.luma, cut, mixing))
        shown[variant] = out + smoother.flush()
        cost[variant] = 1000.0 * (time.perf_counter() - begun) / len(frames)
    for index, frame in enumerate(frames):
        now = {variant: fields[index] for variant, fields in shown.items()}
        score.add(frame.luma, now, frame.truth, cut=flags[index][0])
    return [row | {"milliseconds": cost.get(row["smoothing"])} for row in score.rows()]


def steps(frames: list[FrameInAllWays], colorizer: Colorizer) -> list[str]:
    """Milliseconds of the single steps, the least of many."""
    here, there = frames[1], frames[0]
    now, before = (luma_on_grid(frame.luma, frame.shown["off"].shape[:2]) for frame in (here, there))
    ab = here.shown["off"]
    back, forward = optical_flow(now, before), optical_flow(before, now)
    motion, cuts, dissolves, anchors = follow(now, before, back, forward), CutDetector(), DissolveDetector(), Anchors()
    sums = accumulate(ab, None, None, 0.9)
    for frame in frames:
        dissolves.is_mixing(frame.luma)
    anchors.apply(ab, before, None)
    lightness = lightness_batch([here.luma.astype(np.float32)], YCbCrSpec(full_range=True))
    tried: dict[str, Callable[[], Any]] = {
        "network, one frame": lambda: colorizer.colors(lightness),
        "optical flow, one way": lambda: optical_flow(now, before),
        "visibility, one way": lambda: follow(now, before, back, forward),
        "average, one step": lambda: accumulate(ab, sums, motion, 0.9),
        "anchors": lambda: anchors.apply(ab, now, motion),
        "vividness": lambda: VividnessKeeper().apply(ab, vividness(ab)),
        "cuts": lambda: cuts.is_cut(here.luma),
        "dissolves": lambda: dissolves.is_mixing(here.luma),
    }
    return [f"| {name} | {_least(step):.2f} |" for name, step in tried.items()]


def _least(step: Callable[[], Any], times: int = 30) -> float:
    least = np.inf
    for _ in range(times):
        begun = time.perf_counter()
        step()
        least = min(least, time.perf_counter() - begun)
    return 1000.0 * least


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--model", default="scenes")
    parser.add_argument("--working-size", type=int, default=192)
    parser.add_argument("--old", action="store_true")
    arguments = parser.parse_args()
    colorizer = Colorizer(arguments.model, "auto")
    rows: list[dict[str, Any]] = []
    for path in arguments.films:
        film = VideoInAllWays(path, colorizer, working_size=arguments.working_size, limit=arguments.frames)
        frames = list(OldFilm(film, colorizer) if arguments.old else film)
        rows += compare(path.name, frames)
    means = [row for row in summary(rows) if row["film"] == "mean"]
    worst = {row["smoothing"]: row for row in summary(rows) if row["film"] == "worst"}
    print("| variant | warp error | worst | colourfulness | worst | ab error | worst | ms a frame |\n|" + "---|" * 8)
    for row in means:
        low = worst[row["smoothing"]]
        cells = [
            "–" if value is None else f"{value:.3f}"
            for key in ("warp_share", "colorfulness_share", "error_share")
            for value in (row[key], low[key])
        ]
        print(f"| {row['smoothing']} | {' | '.join(cells)} | {row['milliseconds']:.1f} |")
    print("\n| step | ms |\n|---|---|\n" + "\n".join(steps(frames, colorizer)))


if __name__ == "__main__":
    main()
