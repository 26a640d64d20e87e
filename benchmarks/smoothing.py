"""Each way of smoothing against per-frame colours, on real films in colour: steadiness, colour kept, error, cost.

    python benchmarks/smoothing.py FILM... [--frames 60] [--model scenes]

Per film and way: warp error of ab as a share of per-frame output's (FFmpeg-decoded luma as the input, flow on it),
colourfulness and ab error against the truth as shares of per-frame output's, ab-CDC, milliseconds a frame.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from colorize_media.color import rgb_to_lab
from colorize_media.colorizer import Colorizer, lightness_batch, working_luma, working_shape
from colorize_media.options import SMOOTHING
from colorize_media.shots import CutDetector
from colorize_media.smoothing import SmoothingInput, make_smoother
from colorize_media.training.video_metrics import WarpError, ab_distribution_consistency
from colorize_media.video import Frame, Reader


def measure(path: Path, colorizer: Colorizer, limit: int) -> list[str]:
    """Markdown rows of one film."""
    import torch

    lumas, truths, cuts, detector = [], [], [], CutDetector()
    with Reader(path) as reader:
        spec = reader.geometry.spec
        for item in reader:
            if not isinstance(item, Frame):
                continue
            shape = working_shape(*item.luma.shape, 256)
            small = working_luma(item.luma, shape)
            rgb = item.source.reformat(
                width=shape[1], height=shape[0], format="rgb24", interpolation="AREA"
            ).to_ndarray()
            lab = rgb_to_lab(torch.from_numpy(rgb).permute(2, 0, 1) / 255.0)
            truths.append(
                cv2.resize(
                    lab[1:].permute(1, 2, 0).numpy(), (shape[1] // 4, shape[0] // 4), interpolation=cv2.INTER_AREA
                )
            )
            lumas.append(small)
            if len(lumas) == limit:
                break
    as_bytes = [np.clip((s - spec.luma_offset) * (255 / spec.luma_scale) + 0.5, 0, 255).astype(np.uint8) for s in lumas]
    cuts = [detector.is_cut(luma) for luma in as_bytes]
    per_frame = list(colorizer.colors(lightness_batch(lumas, spec)))
    shown, cost = {}, {}
    for mode in SMOOTHING:
        smoother = make_smoother(mode)
        begun = time.perf_counter()
        out = []
        for ab, luma, cut in zip(per_frame, as_bytes, cuts, strict=True):
            out += smoother.push(SmoothingInput(ab, luma, cut))
        shown[mode] = out + smoother.flush()
        cost[mode] = 1000 * (time.perf_counter() - begun) / len(lumas)
    errors = WarpError()
    for index, luma in enumerate(as_bytes):
        # Flow at the double grid: as fine as the colours need, and affordable.
        half = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0] // 2), interpolation=cv2.INTER_AREA)
        errors.add(half, {"truth": truths[index]} | {mode: shown[mode][index] for mode in SMOOTHING}, cut=cuts[index])
    warp = errors.result()
    rows = []
    for mode in SMOOTHING:
        chroma = [np.mean([np.hypot(ab[..., 0], ab[..., 1]).mean() for ab in shown[which]]) for which in (mode, "off")]
        error = [
            np.sqrt(np.mean([(a - t) ** 2 for a, t in zip(shown[which], truths, strict=True)]))
            for which in (mode, "off")
        ]
        rows.append(
            f"| {path.name} | {mode} | {warp[mode] / warp['off']:.3f} | {chroma[0] / chroma[1]:.3f} "
            f"| {error[0] / error[1]:.3f} | {1000 * ab_distribution_consistency(shown[mode]):.2f} | {cost[mode]:.1f} |"
        )
    return rows


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--model", default="scenes")
    arguments = parser.parse_args()
    colorizer = Colorizer(arguments.model, "auto")
    print(
        "| film | smoothing | warp error | chroma | ab error | ab-CDC ·1000 | ms a frame |\n|---|---|---|---|---|---|---|"
    )
    for film in arguments.films:
        print("\n".join(measure(film, colorizer, arguments.frames)), flush=True)


if __name__ == "__main__":
    main()
