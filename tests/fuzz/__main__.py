"""``python -m tests.fuzz``: the command line, the counts, what is kept of a finding."""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.trials import Tried

TELL_EVERY = 100  # inputs
_OPTIONAL = ("pi_heif", "rawpy", "imagecodecs", "tifffile", "PIL.JpegImagePlugin")


def main() -> int:
    """0 if nothing was found."""
    words = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    words.add_argument("--inputs", type=int, default=1000, help="how many mutated files")
    words.add_argument("--first", type=int, default=0, help="the number of the first one")
    words.add_argument("--only", type=int, help="one input, by its number, with all that was said of it")
    words.add_argument("--kills", type=int, default=0, help="how many runs over an archive are killed")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    words.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="folder for what was found")
    asked = words.parse_args()
    settle_environment()
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:
        folder = Path(name)
        model = warm_up(folder)
        if asked.only is not None:
            return show(asked.seed, asked.only, model, folder)
        until = time.monotonic() + asked.seconds
        found = fuzz(asked, model, folder, until)
        if asked.kills:
            from tests.fuzz.kills import kill_runs

            found += kill_runs(asked.kills, asked.seed, model, folder / "kills", until)
    return 1 if found else 0


def settle_environment() -> None:
    """Before anything is loaded: what computes here is forked later, and threads are not."""
    for name in [name for name in os.environ if name.startswith("COLORIZE_MEDIA_")]:
        del os.environ[name]
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", SVT_LOG="1", SOURCE_DATE_EPOCH="1777888800")


def warm_up(folder: Path) -> Path:
    """Load all that the command ever loads, and a network; returns the weights' path.

    A photograph and a film are coloured here: each child would else prepare the network's kernels anew, which takes three
    times as long as all the rest. With one thread for each library none is left when they are done.
    """
    os.environ["XDG_CONFIG_HOME"] = str(folder)
    import cv2
    import torch

    import colorize_media.cli.colorize as command
    from colorize_media.models import RegressionConfig, build, save_weights
    from colorize_media.network.colorizer import Colorizer

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for chapter in (
        "archive",
        "cli",
        "photo",
        "video",
        "judge",
        "metadata",
        "network",
        "motion",
        "report",
        "provenance",
    ):
        package = importlib.import_module(f"colorize_media.{chapter}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"colorize_media.{chapter}.{module.name}")
    for library in _OPTIONAL:
        try:
            importlib.import_module(library)
        except ImportError:
            print(f"without {library}", flush=True)
    torch.manual_seed(8)
    model = folder / "fresh.safetensors"
    save_weights(model, build(RegressionConfig()), {"note": "untrained"})
    colorizer = Colorizer(str(model), "cpu")
    command.load_colorizer = lambda options: colorizer  # each child has it for itself
    _color_something(folder / "warm", model)
    gc.collect()
    gc.freeze()
    return model


def _color_something(folder: Path, model: Path) -> None:
    from tests.fuzz import seeds
    from tests.fuzz.trials import ALWAYS, run_command

    for name in ("in", "tmp"):
        (folder / name).mkdir(parents=True)
    for name in ("grey.jpg", "full.mkv"):
        (folder / "in" / name).write_bytes(seeds.seed(name))
    here = os.getcwd()
    with contextlib.redirect_stdout(io.StringIO()) as told, contextlib.redirect_stderr(told):
        code = run_command(("in", "-o", "out", "--force", "--model", str(model), *ALWAYS), folder)
    os.chdir(here)
    if code:
        raise RuntimeError(f"not even whole files are coloured: {told.getvalue()}")


def fuzz(asked: argparse.Namespace, model: Path, folder: Path, until: float) -> int:
    """All inputs; returns how many were found to be wrong. Tells counts as it goes."""
    from tests.fuzz.trials import make_input, try_input

    outcomes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    begun, slowest, largest, wrong = time.monotonic(), 0.0, 0, 0
    count = 0
    for number in range(asked.first, asked.first + asked.inputs):
        if time.monotonic() > until:
            break
        tried = try_input(make_input(asked.seed, number), model, folder / "run")
        count += 1
        outcomes[tried.outcome] += 1
        kinds.update({fault.partition(":")[0] for fault in tried.faults})
        slowest, largest = max(slowest, tried.ended.seconds), max(largest, tried.ended.peak)
        if tried.faults:
            wrong += 1
            keep(asked.keep, asked.seed, tried)
        if count % TELL_EVERY == 0:
            tell(count, outcomes, kinds, wrong, begun, slowest, largest)
    tell(count, outcomes, kinds, wrong, begun, slowest, largest)
    return wrong


def tell(
    count: int, outcomes: Counter[str], kinds: Counter[str], wrong: int, begun: float, slowest: float, largest: int
) -> None:
    """The counts so far, in a line."""
    came = ", ".join(f"{number} {name}" for name, number in sorted(outcomes.items()))
    faults = ", ".join(f"{number} {name}" for name, number in kinds.most_common()) or "none"
    seconds = time.monotonic() - begun
    effort = f"slowest {slowest:.1f} s, largest {largest >> 20} MB, all {seconds:.0f} s"
    print(f"{count} inputs: {came}; wrong: {wrong} ({faults}); {effort}", flush=True)


def keep(folder: Path, seed: int, tried: Tried) -> None:
    """The files of a finding, the command and what was wrong."""
    given = tried.input
    name = f"{seed}-{given.number}"
    print(f"  {name} ({given.about}): {'; '.join(tried.faults)}", flush=True)
    (folder / name).mkdir(parents=True, exist_ok=True)
    for file, data in given.files.items():
        (folder / name / file).write_bytes(data)
    note = {"seed": seed, "number": given.number, "about": given.about, "words": given.words, "faults": tried.faults}
    (folder / f"{name}.json").write_text(json.dumps({**note, "said": tried.ended.said[-4000:]}, indent=1))


def show(seed: int, number: int, model: Path, folder: Path) -> int:
    """One input, with all that was told and said."""
    from tests.fuzz.trials import make_input, try_input

    given = make_input(seed, number)
    if given.words[0] != "inspect":
        given = replace(given, words=(*given.words, "-vv"))
    tried = try_input(given, model, folder / "run")
    print(f"{given.about}\ncolorize-media {' '.join(given.words)}\n{tried.ended.told}\n{tried.ended.said}")
    print(f"code {tried.ended.code}, {tried.ended.seconds:.2f} s; {tried.faults or 'nothing wrong'}")
    return 1 if tried.faults else 0


if __name__ == "__main__":
    sys.exit(main())
