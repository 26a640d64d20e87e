"""A whole film job against a plain transcode of the same file with the same encoder settings, in one run.

    python benchmarks/video.py [--size 480 --size 720 --size 1080] [--seconds 10] [--smoothing fast] [--every 8]
                               [--preset medium] [--file FILM]
    python benchmarks/video.py --size 240 --seconds 60 --seconds 600      # does memory grow with length?

Without --file films are made: grey photographs panning under grain, H.264, of each size and length. Each way runs in a
process of its own, so that peak memory is its own. Only ratios can be compared between machines. Stages overlap in three
threads (decode; network and smooth; encode, which makes the chroma planes too), so their times do not add up to a frame's.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from colorize_media.machine import let_cores_go

RATE = 25
GRAIN = 4.0  # codes, standard deviation
STAGES = ("decode", "shrink", "network", "smooth", "encode")
WIDTHS = {240: 426, 480: 854, 720: 1280, 1080: 1920}


def make_film(path: Path, lines: int, seconds: float) -> None:
    """Pan over scikit-image's own pictures, so that motion, detail and grain are there."""
    import av
    import cv2
    import numpy as np
    from skimage import data

    width = WIDTHS[lines]
    pictures = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (data.astronaut(), data.coffee(), data.chelsea())]
    wide = [cv2.resize(p, (width + 400, lines), interpolation=cv2.INTER_CUBIC) for p in pictures]
    random = np.random.default_rng(0)
    grains = [random.normal(0, GRAIN, (lines, width)).astype(np.float32) for _ in range(7)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "16"})
        stream.width, stream.height, stream.pix_fmt = width, lines, "yuv420p"
        for index in range(round(seconds * RATE)):
            shot, place = divmod(index, 100)
            view = wide[shot % len(wide)][:, 4 * place : 4 * place + width] + grains[index % 7]
            frame = av.VideoFrame.from_ndarray(view.clip(0, 255).astype(np.uint8), format="gray")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))


def transcode(source: Path, target: Path, preset: str, threads: int) -> int:
    """Decode and encode, nothing else: what any tool must at least spend."""
    import av

    frames = 0
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        picture = reader.streams.video[0]
        picture.thread_type = "AUTO"
        options = {"crf": "18"} | ({"preset": preset} if preset else {})
        stream = writer.add_stream("libx264", rate=picture.average_rate or Fraction(RATE), options=options)
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "yuv420p"
        stream.codec_context.thread_count = threads
        stream.codec_context.thread_type = "FRAME"  # as the tool's own writer has it
        for frame in reader.decode(picture):
            frame.pict_type = 0
            writer.mux(stream.encode(frame))
            frames += 1
        writer.mux(stream.encode(None))
    return frames


class Stages:
    """Seconds spent in the stages of the frame loop, by name; waiting for each other is not counted."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call``, its time added up under ``name``."""

        def wrapped(*arguments: Any, **options: Any) -> Any:
            begun = time.perf_counter()
            try:
                return call(*arguments, **options)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun

        return wrapped


def colorize(arguments: argparse.Namespace, target: Path, stages: Stages) -> int:
    """The tool's own job."""
    from colorize_media import ColorizeOptions, Colorizer, colorize_video
    from colorize_media.video import color_stage, pipeline
    from colorize_media.video.reader import Reader
    from colorize_media.video.writer import Writer

    colorizer = Colorizer(arguments.model)
    colorizer.colors = stages.timed("network", colorizer.colors)  # type: ignore[method-assign]
    make_smoother = color_stage.make_smoother

    def timed_smoother(*settings: Any) -> Any:
        smoother = make_smoother(*settings)
        smoother.push = stages.timed("smooth", smoother.push)  # type: ignore[method-assign]
        smoother.flush = stages.timed("smooth", smoother.flush)  # type: ignore[method-assign]
        return smoother

    color_stage.make_smoother = timed_smoother
    pipeline.working_luma = stages.timed("shrink", pipeline.working_luma)
    Writer.write = stages.timed("encode", Writer.write)  # type: ignore[method-assign]
    Reader.__iter__ = _timed_iteration(stages, Reader.__iter__)  # type: ignore[method-assign]
    options = ColorizeOptions(
        force=True,
        smoothing=arguments.smoothing,
        preset=arguments.preset,
        model=arguments.model,
        every=arguments.every,
    )
    return colorize_video(arguments.file, target, colorizer, options).frames  # type: ignore[union-attr]


def _timed_iteration(stages: Stages, iterate: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def iterator(reader: Any) -> Iterator[Any]:
        frames = iterate(reader)
        following = stages.timed("decode", lambda: next(frames, None))
        while (frame := following()) is not None:
            yield frame

    return iterator


def child(arguments: argparse.Namespace) -> None:
    """One way, in its own process: prints frames, seconds and peak memory as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out.mp4"
        if arguments.way == "colorize":  # loading the network is the command's cost, not the frame's: timed apart
            from colorize_media import Colorizer

            Colorizer(arguments.model)
        stages = Stages()
        begun = time.perf_counter()
        if arguments.way == "transcode":
            frames = transcode(arguments.file, target, arguments.preset, 0)
        else:
            frames = colorize(arguments, target, stages)
        seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent = {name: 1000.0 * value / frames for name, value in stages.seconds.items()}
    print(json.dumps({"frames": frames, "seconds": seconds, "peak": peak, "stages": spent}))


def main() -> None:
    """Parse, make the film, run both ways, print a Markdown row per film."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, choices=sorted(WIDTHS), action="append")
    parser.add_argument("--seconds", type=float, action="append")
    parser.add_argument("--preset", default="")
    parser.add_argument("--smoothing", default="fast")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--model", default="scenes")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    let_cores_go()  # as the command does
    if arguments.way:
        child(arguments)
        return
    print(
        f"{os.cpu_count()} cores; encoder preset {arguments.preset or 'medium'}, smoothing {arguments.smoothing}, "
        f"network on one frame of {arguments.every}"
    )
    print(
        "| film | frames | transcode fps | ours fps | ratio | transcode MB | ours MB | "
        + " | ".join(f"{name} ms" for name in STAGES)
        + " |"
    )
    print("|---" * (7 + len(STAGES)) + "|")
    with tempfile.TemporaryDirectory() as folder:
        films = [(arguments.file.name, arguments.file)] if arguments.file else []
        for lines in (arguments.size or [1080]) if not films else []:
            for seconds in arguments.seconds or [10.0]:
                films.append((f"{lines}p, {seconds:g} s", Path(folder) / f"{lines}-{seconds:g}.mp4"))
                make_film(films[-1][1], lines, seconds)
        for name, file in films:
            rows = {}
            for way in ("transcode", "colorize"):
                command = [sys.executable, __file__, "--way", way, "--file", str(file), "--preset", arguments.preset]
                command += [
                    "--smoothing",
                    arguments.smoothing,
                    "--model",
                    arguments.model,
                    "--every",
                    str(arguments.every),
                ]
                rows[way] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            plain, ours = rows["transcode"], rows["colorize"]
            fps = [row["frames"] / row["seconds"] for row in (plain, ours)]
            print(
                f"| {name} | {ours['frames']} | {fps[0]:.1f} | {fps[1]:.1f} | {fps[1] / fps[0]:.2f} "
                f"| {plain['peak']:.0f} | {ours['peak']:.0f} | "
                + " | ".join(f"{ours['stages'].get(name, 0.0):.1f}" for name in STAGES)
                + " |",
                flush=True,
            )


if __name__ == "__main__":
    main()
