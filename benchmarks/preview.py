"""How long a preview takes beside its film: python benchmarks/preview.py FILM [--seconds 12 60]

Colours so many seconds from the film's beginning, and makes a preview of the same; prints both times and their ratio.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.video.colorize import colorize_video
from colorize_media.video.preview import preview_video


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path)
    parser.add_argument("--seconds", type=Fraction, nargs="+", default=[Fraction(12), Fraction(60)])
    asked = parser.parse_args()
    colorizer = Colorizer("scenes", "cpu")
    print("| seconds of film | coloured in | its preview in | share |\n|---|---|---|---|")
    for seconds in asked.seconds:
        options = ColorizeOptions(duration=seconds)
        with tempfile.TemporaryDirectory() as folder:
            target, strip = Path(folder) / f"film{asked.film.suffix}", Path(folder) / "strip.png"
            # The preview first: what the first use of the network costs is not to count for it.
            preview = seconds_of(lambda: preview_video(asked.film, strip, colorizer, options))  # noqa: B023
            film = seconds_of(lambda: colorize_video(asked.film, target, colorizer, options))  # noqa: B023
        print(f"| {float(seconds):g} | {film:.1f} s | {preview:.1f} s | {preview / film:.2f} |", flush=True)


if __name__ == "__main__":
    main()
